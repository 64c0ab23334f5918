"""A real server with keys: no key, an unknown key, a wrong role, a key revoked while connected."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from benchmarks.serving.fuzz.__main__ import Campaign, Config
from benchmarks.serving.fuzz.served import KeyedServer
from tests.support.served import DEADLINE_S, until

from skill_runtime.client import (
    ClientError,
    ForbiddenError,
    HandshakeError,
    LeaseLostError,
    SkillClient,
)
from skill_runtime.client.aio import AsyncSkillClient
from skill_runtime.security.keys import new_key_pair, write_key_file

ROLES = {
    "alice": "controller",
    "bob": "observer",
    "eve": "controller",
    "robot": "service",
    "camera": "tracker",
    "button": "stop",
}


@pytest.fixture(scope="module")
def server(policy_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyedServer]:
    folder = tmp_path_factory.mktemp("keys")
    with KeyedServer(policy_file, folder, keyed=True) as server:
        for name in (*ROLES, "stranger"):
            write_key_file(folder / f"{name}.key", new_key_pair())
        for name, roles in ROLES.items():
            keys(server, "allow", name, roles)
        yield server


def keys(server: KeyedServer, *words: str) -> None:
    """Runs skill-keys on the folder of the server."""
    command = [sys.executable, "-m", "skill_runtime.cli.keys.main"]
    subprocess.run([*command, "--folder", str(server.folder), *words], check=True)


def client(server: KeyedServer, name: str, timeout_s: float = DEADLINE_S) -> SkillClient:
    assert server.keys is not None
    return SkillClient(
        server.addresses.commands,
        timeout_s=timeout_s,
        key=server.folder / f"{name}.key",
        server_key=server.keys.server,
    )


def read_to_the_end(client: SkillClient) -> None:
    """Reads the states that have arrived before the end of telemetry."""
    for _ in range(20):
        client.state()


def make_ready(client: SkillClient) -> None:
    """Ends a stop: on a busy machine, the stop listener may have been late."""
    until(lambda: answers(client.clear))
    until(lambda: client.state().mode == "hold")


def logged(server: KeyedServer, text: str) -> bool:
    return text in server.log.read_text(errors="replace")


def test_without_an_authorized_key_no_socket_answers(server: KeyedServer) -> None:
    addresses = server.addresses
    with SkillClient(addresses.commands, stop_address=addresses.stop, timeout_s=5.0) as nobody:
        for call in (nobody.hello, nobody.stop):
            with pytest.raises(HandshakeError, match="only clients with keys"):
                call()
    with client(server, "stranger") as stranger:
        for call in (stranger.hello, stranger.stop):
            with pytest.raises(HandshakeError, match="refuses the key of this client"):
                call()
    until(lambda: logged(server, "is refused: the key is not authorized"))
    until(lambda: logged(server, "stop socket: a connection of key"))


def test_each_role_does_its_own_work_and_no_other(server: KeyedServer) -> None:
    with client(server, "alice") as alice, client(server, "bob") as bob:
        make_ready(alice)
        with alice.acquire("alice"):
            alice.skill([1, 0])
            until(lambda: alice.state().mode == "skill")
            with pytest.raises(ForbiddenError, match="'bob' has the roles observer") as info:
                bob.acquire("bob", priority=9)
            assert info.value.code == "forbidden"
            until(lambda: bob.state().lease_holder == "alice")
        for call in (bob.clear, lambda: bob.scene(mass=1.0)):
            with pytest.raises(ForbiddenError):
                call()
        with pytest.raises(ForbiddenError, match="'act' needs one of service"):
            bob.act([[0.0] * server.observation_size], session="b", skill=[[1.0, 0.0]])
    with client(server, "robot") as robot:
        robot.act([[0.0] * server.observation_size], session="r", skill=[[1.0, 0.0]])
        with pytest.raises(HandshakeError, match="no role for this socket"):
            robot.state()
    until(lambda: logged(server, "'acquire' of 'bob' is refused: the key of 'bob'"))


def test_every_role_may_stop_the_arm(server: KeyedServer) -> None:
    with client(server, "alice") as alice:
        for name in ROLES:
            with client(server, name) as someone:
                someone.stop(name)
            until(lambda: alice.state().mode == "stopped")
            until(lambda: answers(alice.clear))
            until(lambda: alice.state().mode == "hold")


def test_a_key_that_is_revoked_while_it_steers_is_refused_from_the_next_message_on(
    server: KeyedServer,
) -> None:
    with client(server, "alice") as alice, client(server, "eve") as eve:
        make_ready(alice)
        eve.acquire("eve", ttl_s=60.0)
        eve.skill([1, 0], valid_for_s=60.0)
        until(lambda: eve.state().mode == "skill")
        keys(server, "revoke", "eve")
        until(lambda: alice.state().lease_holder is None)  # and not after 60 s
        until(lambda: alice.state().mode == "hold")
        with pytest.raises((ForbiddenError, LeaseLostError), match="was revoked"):
            eve.skill([1, 0])
        with pytest.raises(ForbiddenError, match="was revoked"):
            eve.hello()
        with pytest.raises(ClientError, match="refuses the key"):
            eve.stop()
        with pytest.raises(HandshakeError, match="was revoked"):
            read_to_the_end(eve)
        assert alice.state().counters["rejected.forbidden"] > 0
    until(lambda: logged(server, "the key of 'eve' no longer receives telemetry"))
    keys(server, "allow", "eve", "controller")
    with client(server, "eve") as eve:
        until(lambda: eve.hello().lease_holder in (None, "eve"))


def test_clients_with_keys_are_back_after_the_loss_of_each_process(server: KeyedServer) -> None:
    with client(server, "alice", 3.0) as alice, client(server, "bob") as bob:
        make_ready(alice)
        with alice.acquire("alice", ttl_s=60.0):
            first = bob.state()
            server.processes()["gateway"].kill()
            until(lambda: answers(lambda: alice.skill([1, 0])))
            state = bob.state()
            assert state.lease_holder == "alice"
            assert state.counters["restarts.gateway"] > first.counters.get("restarts.gateway", 0)
        server.processes()["stop listener"].kill()
        until(lambda: alice.state().mode == "stopped")
        until(lambda: answers(alice.stop))
        until(lambda: answers(alice.clear))


def answers(call: Callable[[], object]) -> bool:
    """Returns whether a call succeeds."""
    with suppress(ClientError):
        call()
        return True
    return False


def test_the_asyncio_client_is_given_the_same_reasons(server: KeyedServer) -> None:
    assert server.keys is not None
    key, address = server.keys.server, server.addresses.commands

    async def errors() -> list[str]:
        found: list[str] = []
        for name in ("bob", "stranger"):
            given = {"key": server.folder / f"{name}.key", "server_key": key, "timeout_s": 3.0}
            async with AsyncSkillClient(address, **given) as one:
                try:
                    await one.state()
                    await one.clear()
                except ClientError as error:
                    found.append(f"{type(error).__name__}: {error}")
        return found

    forbidden, refused = asyncio.run(errors())
    assert forbidden.startswith("ForbiddenError: the key of 'bob' has the roles observer")
    assert "refuses the key of this client" in refused


def test_random_messages_end_no_process(server: KeyedServer) -> None:
    """A small part of ``benchmarks.serving.fuzz``, always the same messages."""
    processes = server.processes()
    campaign = Campaign(Config(messages=300, seconds=10.0, keys=True), server)
    try:
        campaign.run()
    finally:
        campaign.close()
    assert campaign.fuzz.counts.commands > 0
    assert campaign.fuzz.counts.stop > 0
    assert server.processes().items() >= processes.items()
    with client(server, "alice") as alice:
        until(lambda: answers(alice.clear))
        until(lambda: alice.state().mode == "hold")
