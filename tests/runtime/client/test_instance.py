"""A client hears at once that another server answers, and then does nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.served import until
from tests.support.stand_in import StandIn

from skill_runtime.client import (
    LeaseLostError,
    ServerReplacedError,
    ServerUnreachableError,
    SkillClient,
    WrongServerError,
)


@pytest.fixture
def first() -> Iterator[StandIn]:
    with StandIn("first") as first:
        yield first


@pytest.fixture
def client(first: StandIn) -> Iterator[SkillClient]:
    with SkillClient(first.address, timeout_s=10.0) as client:
        yield client


def test_every_message_names_the_server(first: StandIn, client: SkillClient) -> None:
    client.hello()
    with client.acquire("me", ttl_s=0.4):
        client.skill([1, 0])
        client.scene(mass=1.0)
        client.act([[0.0] * 28], session="s", skill=[[1, 0]])
        until(lambda: first.kinds.count("renew") >= 2)
    assert first.kinds[0] == "hello"
    assert first.kinds[-1] == "release"
    assert {message.instance for message in first.heard[1:]} == {"first"}


def test_the_first_reply_names_the_server(first: StandIn, client: SkillClient) -> None:
    client.clear()
    client.clear()
    assert [message.instance for message in first.heard] == [None, "first"]


def test_a_replaced_server_is_not_commanded_until_hello(first: StandIn) -> None:
    client = SkillClient(first.address, timeout_s=10.0)
    client.acquire("me", ttl_s=60)
    first.close()
    with StandIn("second", ports=first.ports) as second:
        calls = (
            lambda: client.skill([1, 0]),
            lambda: client.acquire("me"),
            client.clear,
            lambda: client.scene(mass=1.0),
            lambda: client.act([[0.0] * 28], session="s", skill=[[1, 0]]),
            client.state,
        )
        for call in calls:
            with pytest.raises(ServerReplacedError, match=r"hello\(\)") as caught:
                call()
            assert first.address in str(caught.value)
        assert {message.instance for message in second.heard} == {"first"}
        assert second.holder is None

        assert client.hello().telemetry_address == second.telemetry_address
        with pytest.raises(LeaseLostError, match=r"acquire\(\)"):
            client.skill([1, 0])
        with client.acquire("me"):
            client.skill([1, 0])
            assert client.state().instance == "second"
        client.close()


def test_hello_adopts_the_other_addresses_of_the_new_server(first: StandIn) -> None:
    client = SkillClient(first.address, timeout_s=10.0)
    client.state()
    first.close()
    with StandIn("second", ports=(first.ports[0], 0, 0)) as second:
        client.hello()
        assert client.state().instance == "second"
        assert client.server.stop_address == second.stop_address
        client.stop("enough")
        assert second.mode == "stopped"
        client.close()


def test_the_heartbeat_hears_that_the_server_was_replaced(first: StandIn) -> None:
    client = SkillClient(first.address, timeout_s=10.0)
    lease = client.acquire("me", ttl_s=60)
    first.close()
    with StandIn("second", ports=first.ports):
        lease._heartbeat.ttl_s = 0.2
        lease._heartbeat._wake.put(None)
        until(lambda: lease.ended_because is not None)
        with pytest.raises(ServerReplacedError, match=r"hello\(\)"):
            client.skill([1, 0])
        client.close()


def test_telemetry_of_another_arm_is_refused() -> None:
    # As behind a tunnel: the address in the welcome leads to the other arm.
    with (
        StandIn("other") as other,
        StandIn("meant", named=(other.telemetry_address, "")) as meant,
        SkillClient(meant.address, timeout_s=10.0) as client,
    ):
        with pytest.raises(WrongServerError, match="belongs to another server") as caught:
            client.state()
        assert not isinstance(caught.value, ServerReplacedError)
        assert other.telemetry_address in str(caught.value)
        assert "telemetry_address=..." in str(caught.value)
        assert client.latest is None
        client.acquire("me")
        with pytest.raises(WrongServerError, match="telemetry_address"):
            until(lambda: client.skill([1, 0]) is not None)  # until telemetry has arrived


def test_a_given_telemetry_address_is_used() -> None:
    with (
        StandIn("other") as other,
        StandIn("meant", named=(other.telemetry_address, "")) as meant,
        SkillClient(
            meant.address, timeout_s=10.0, telemetry_address=meant.telemetry_address
        ) as client,
    ):
        assert client.state().instance == "meant"


def test_without_telemetry_the_error_names_the_address_and_the_tunnel() -> None:
    with (
        StandIn("meant", named=("tcp://127.0.0.1:1", "")) as meant,
        SkillClient(meant.address, timeout_s=0.4) as client,
        pytest.raises(ServerUnreachableError, match=r"127\.0\.0\.1:1 .* tunnel"),
    ):
        client.state()


def test_a_server_without_an_instance_works() -> None:
    with StandIn("") as server, SkillClient(server.address, timeout_s=10.0) as client:
        with client.acquire("me"):
            client.skill([1, 0])
            client.state()
        assert {message.instance for message in server.heard} == {None}
