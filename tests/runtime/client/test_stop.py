"""The stop reaches the server that is meant, whatever its reason; any other outcome is raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from tests.support.served import DEADLINE_S, until
from tests.support.stand_in import StandIn

from skill_proto.messages import Hello, Stop
from skill_runtime.client import (
    ClientError,
    ServerReplacedError,
    ServerUnreachableError,
    SkillClient,
    WrongServerError,
)
from skill_runtime.client.steps import Answer, Ask, Step, drive
from skill_runtime.client.stop import Target, default_stop_address, stop_call

NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture
def arm() -> Iterator[StandIn]:
    with StandIn("arm") as arm:
        yield arm


@pytest.fixture
def other_arm() -> Iterator[StandIn]:
    with StandIn("other arm") as other:
        yield other


def client_of(server: StandIn, **options: object) -> SkillClient:
    return SkillClient(server.address, timeout_s=4.0, **options)  # type: ignore[arg-type]


# Reasons ------------------------------------------------------------------------------------------


class Unspeakable:
    """An object without a text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (None, ""),
        ("", ""),
        ("x" * 10_000, "x" * 253 + "..."),
        ("\udcff", r"\udcff"),
        ("\ud83d", r"\ud83d"),
        ("a\x00b", r"a\x00b"),
        ("ok\nforged", r"ok\nforged"),
        ("\x1b[2J\x9b\u202e\u2028", r"\x1b[2J\x9b\u202e\u2028"),
        ("\x1b" * 300, r"\x1b" * 63 + r"\..."),
        (ValueError("boom"), "ValueError: boom"),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
        (Unspeakable(), "(no text)"),
        (b"bytes", "b'bytes'"),
        (3, "3"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_no_reason_prevents_a_stop(arm: StandIn, reason: object, text: str) -> None:
    with client_of(arm) as client:
        client.stop(reason)
    assert arm.mode == "stopped"
    assert arm.stops[-1].reason == text
    assert len(text) <= 256


# Addresses ----------------------------------------------------------------------------------------


def test_the_default_address_is_at_an_offset() -> None:
    assert default_stop_address("tcp://127.0.0.1:5555") == "tcp://127.0.0.1:5557"
    for address in ("ipc:///run/arm", "tcp://127.0.0.1:", "tcp://h:²", "tcp://h:" + "9" * 9):
        assert default_stop_address(address) is None


def test_a_known_address_needs_one_request(arm: StandIn) -> None:
    with client_of(arm) as client:
        client.hello()
        client.stop("enough")
    assert [stop.instance for stop in arm.stops] == ["arm"]
    assert arm.kinds == ["hello"]


def test_an_unknown_address_is_asked_for(arm: StandIn) -> None:
    with client_of(arm) as client:
        client.stop("enough")
    assert arm.stops[-1].instance == "arm"
    assert arm.mode == "stopped"


def test_a_given_address_is_used(arm: StandIn) -> None:
    with StandIn("tunnelled", named=("", NOWHERE)) as far:
        with client_of(far, stop_address=far.stop_address) as client:
            client.hello()
            client.stop()
            assert far.mode == "stopped"
        with client_of(far) as client, pytest.raises(ServerUnreachableError):
            client.stop()


def test_a_given_address_without_an_answer_leaves_time_for_that_of_the_server(arm: StandIn) -> None:
    waits: dict[str | None, float] = {}

    def perform(step: Step) -> Answer:
        assert isinstance(step, Ask)
        waits[step.address] = step.timeout_s
        if isinstance(step.message, Hello):
            return arm.welcome(), {}
        raise ServerUnreachableError(NOWHERE, step.timeout_s)

    with pytest.raises(ServerUnreachableError):
        drive(stop_call(Stop(), Target(commands=arm.address, given=NOWHERE), 4.0), perform)
    assert waits[NOWHERE] <= 2.0
    assert arm.stop_address in waits


def test_a_server_without_an_instance_is_stopped() -> None:
    with StandIn("") as arm, client_of(arm) as client:
        client.hello()
        client.stop("enough")
        assert arm.mode == "stopped"


def test_a_cached_address_that_does_not_answer_is_asked_for_again() -> None:
    with StandIn("") as first:
        client = client_of(first)
        client.hello()
    # The stop socket has another port now.
    with StandIn("", ports=(first.ports[0], 0, 0)) as second:
        client.stop("enough")
        assert second.mode == "stopped"
        assert client.server.stop_address == second.stop_address
        assert client.state().mode == "stopped"
        client.close()


# Whose arm ----------------------------------------------------------------------------------------


def test_the_stop_socket_of_another_arm_is_not_mistaken(arm: StandIn, other_arm: StandIn) -> None:
    # As behind a tunnel: the address in the welcome leads to the other arm.
    with StandIn("meant", named=("", other_arm.stop_address)) as meant, client_of(meant) as client:
        for _ in range(2):  # the address unknown, then known
            with pytest.raises(WrongServerError, match="not stopped") as caught:
                client.stop("enough")
            assert f"{other_arm.stop_address} belongs to another server" in str(caught.value)
            assert "stop_address=..." in str(caught.value)
            client.hello()
        assert (meant.mode, other_arm.mode) == ("hold", "hold")


def test_a_guessed_address_of_another_arm_stops_both() -> None:
    with StandIn("neighbour") as neighbour:
        # The neighbour's stop socket is at the default address of this arm.
        ports = (neighbour.ports[2] - 2, 0, 0)
        with StandIn("meant", ports=ports) as meant, client_of(meant) as client:
            client.stop("enough")
            assert (meant.mode, neighbour.mode) == ("stopped", "stopped")


def test_a_replaced_server_is_stopped_and_the_next_call_says_so() -> None:
    with StandIn("first") as first:
        client = client_of(first)
        client.hello()
    with StandIn("second", ports=first.ports) as second:
        client.stop("enough")
        assert second.mode == "stopped"
        assert [stop.instance for stop in second.stops] == ["first", "second"]
        with pytest.raises(ServerReplacedError):
            client.clear()
        assert "clear" not in [m.type for m in second.heard if m.instance == "second"]
        client.hello()
        client.clear()
        client.close()


def test_without_an_answer_the_other_server_is_stopped_and_the_stop_is_unconfirmed(
    other_arm: StandIn,
) -> None:
    with StandIn("meant", named=("", other_arm.stop_address)) as meant:
        client = client_of(meant)
        client.hello()
        meant.answers = False
        with pytest.raises(WrongServerError, match="not confirmed") as caught:
            client.stop("enough")
        assert meant.address in str(caught.value)
        assert other_arm.mode == "stopped"
        assert [stop.instance for stop in other_arm.stops] == ["meant", None]
        client.close()


def test_a_stop_is_confirmed_although_the_commands_socket_does_not_answer(arm: StandIn) -> None:
    with client_of(arm) as client:
        client.hello()
        arm.answers = False
        client.stop("enough")
    assert arm.mode == "stopped"


def test_a_stop_without_confirmation_raises_within_the_timeout() -> None:
    with SkillClient(NOWHERE, timeout_s=0.5) as client:
        began = time.monotonic()
        with pytest.raises(ServerUnreachableError):
            client.stop("enough")
        assert time.monotonic() - began < DEADLINE_S / 10


# During other calls -------------------------------------------------------------------------------


def test_another_thread_stops_during_a_call(arm: StandIn) -> None:
    with client_of(arm) as client:
        client.hello()
        arm.publishes = False
        errors: list[ClientError] = []

        def wait() -> None:
            try:
                client.state()
            except ClientError as error:
                errors.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: client._guard._caller == thread.name)
        client.stop("enough")
        assert arm.mode == "stopped"
        arm.publishes = True
        thread.join()
        assert errors == []
