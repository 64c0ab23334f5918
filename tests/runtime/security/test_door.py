"""The door: sockets with keys, in one process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import zmq
from tests.support.served import DEADLINE_S, until

from skill_proto.messages import Hello
from skill_runtime.client import Connection, HandshakeError
from skill_runtime.client.telemetry import TelemetrySubscription
from skill_runtime.security.client_keys import ClientKeys
from skill_runtime.security.config import ServerSecurity
from skill_runtime.security.door import MAX_STRANGERS, Door, sender_of
from skill_runtime.security.handshake import NO_SERVER_KEYS, REFUSED, WRONG_SERVER_KEY
from skill_runtime.security.keys import KeyPair, new_key_pair
from skill_runtime.transport.addresses import Addresses
from skill_runtime.transport.listeners import Listeners
from skill_runtime.transport.sockets import GatewaySockets

FREE = "tcp://127.0.0.1:*"
SERVER, OTHER = new_key_pair(), new_key_pair()
KEYS = {name: new_key_pair() for name in ("alice", "bob", "tracker", "stranger")}
LINES = {"alice": "controller", "bob": "observer,stop", "tracker": "tracker"}


class Rig:
    """The sockets of a gateway with keys, and the file of its clients."""

    def __init__(self, folder: Path) -> None:
        self.path, self.log = folder / "authorized_keys", list[str]()
        self.allow(*LINES)
        security = ServerSecurity(
            public=SERVER.public, secret=SERVER.secret, authorized_keys=self.path
        )
        self.listeners = Listeners(Addresses(commands=FREE, telemetry=FREE, stop=FREE))
        commands, telemetry = self.listeners.commands, self.listeners.telemetry
        self.wakeup = os.pipe()
        self.sockets = GatewaySockets(
            (commands.descriptor(), commands.address),
            (telemetry.descriptor(), telemetry.address),
            self.wakeup[0],
            security=security,
            log=self.log.append,
        )
        assert self.sockets.door is not None
        self.door: Door = self.sockets.door

    def allow(self, *names: str) -> None:
        """Replaces the file by lines for these clients."""
        new = self.path.with_suffix(".new")
        lines = [f"{KEYS[name].public} {name} {LINES[name]}\n" for name in names]
        new.write_text("".join(lines))
        new.chmod(0o600)
        os.replace(new, self.path)

    def publish(self) -> None:
        self.sockets.cut_off_telemetry()
        self.sockets.topics.accept()
        self.sockets.telemetry.send(b"{}")
        time.sleep(0.005)

    def close(self) -> None:
        self.sockets.close()
        self.listeners.close()
        for descriptor in self.wakeup:
            os.close(descriptor)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with closing(Rig(tmp_path)) as rig:
        yield rig


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def keys_of(name: str, server: KeyPair = SERVER) -> ClientKeys:
    return ClientKeys(KEYS[name].public, KEYS[name].secret, server.public)


def dealer(rig: Rig, opened: ExitStack, name: str) -> zmq.Socket[bytes]:
    context = opened.enter_context(zmq.Context())
    socket = opened.enter_context(context.socket(zmq.DEALER))
    socket.linger = 0
    keys_of(name).apply(socket)
    socket.connect(rig.listeners.addresses.commands)
    return socket


def subscriber(rig: Rig, opened: ExitStack, name: str) -> TelemetrySubscription:
    subscription = opened.enter_context(closing(TelemetrySubscription(keys_of(name))))
    subscription.connect(rig.listeners.addresses.telemetry)
    return subscription


def hears(rig: Rig, subscription: TelemetrySubscription) -> bool:
    """Returns whether a message arrives that was published now."""
    rig.publish()
    assert subscription._socket is not None
    return bool(subscription._socket.poll(5)) and bool(subscription._socket.recv())


def test_each_message_carries_the_key_of_its_sender(rig: Rig, opened: ExitStack) -> None:
    for name in ("alice", "bob"):
        dealer(rig, opened, name).send(name.encode())
        assert rig.sockets.commands.poll(1000 * DEADLINE_S)
        frames = rig.sockets.commands.recv_multipart(copy=False)
        assert {sender_of(frame) for frame in frames} == {KEYS[name].public}
        assert frames[1].bytes == name.encode()


def test_a_key_does_what_its_roles_allow(rig: Rig) -> None:
    allowed = {
        "alice": {"hello", "stop", "acquire", "skill", "clear"},
        "bob": {"hello", "stop"},
        "tracker": {"hello", "stop", "track"},
        "stranger": set[str](),
    }
    for name, kinds in allowed.items():
        for kind in ("hello", "stop", "acquire", "skill", "clear", "track", "act"):
            assert (rig.door.refusal(KEYS[name].public, kind) == "") == (kind in kinds)
    reason = rig.door.refusal(KEYS["bob"].public, "skill")
    assert (
        reason
        == "the key of 'bob' has the roles observer,stop, and 'skill' needs one of controller"
    )
    assert rig.log[-1] == f"'act' of key {KEYS['stranger'].public} is refused: " + (
        "the key is not authorized: it is unknown here, or was revoked"
    )


def test_a_revoked_key_is_refused_at_the_next_message(rig: Rig) -> None:
    key = KEYS["alice"].public
    assert not rig.door.refusal(key, "skill")
    rig.allow("bob")
    assert "revoked" in rig.door.refusal(key, "skill")
    rig.allow("alice")
    assert not rig.door.refusal(key, "skill")


def test_a_stranger_that_floods_ends_the_process(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("skill_runtime.security.door.time.monotonic", lambda: now)
    assert not rig.sockets.has_strangers
    for _ in range(MAX_STRANGERS):
        rig.door.refusal(KEYS["stranger"].public, "skill")
    assert not rig.sockets.has_strangers
    rig.door.refusal(KEYS["stranger"].public, "skill")
    assert rig.sockets.has_strangers
    assert sum("'skill' of key" in line for line in rig.log) <= 2  # the log is not flooded


def test_a_revoked_robot_that_goes_on_at_its_usual_rate_ends_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr("skill_runtime.security.door.time.monotonic", lambda: now)
    for _ in range(3 * MAX_STRANGERS):
        now += 0.004
        rig.door.refusal(KEYS["stranger"].public, "act")
        assert not rig.sockets.has_strangers
    assert rig.door.strangers == 1


def test_telemetry_ends_with_the_key_and_goes_on_for_the_others(
    rig: Rig, opened: ExitStack
) -> None:
    alice, bob = (subscriber(rig, opened, name) for name in ("alice", "bob"))
    until(lambda: hears(rig, alice))
    until(lambda: hears(rig, bob))
    rig.allow("bob", "tracker")
    rig.sockets.cut_off_telemetry()
    until(lambda: hears(rig, bob))
    for _ in range(20):
        rig.publish()
    assert alice._socket is not None
    while alice._socket.poll(0):
        alice._socket.recv()
    with pytest.raises(HandshakeError, match="was revoked"):
        until(lambda: alice.poll() is not None)
    assert "the key of 'alice' no longer receives telemetry" in rig.log


def test_a_key_without_the_role_receives_no_telemetry(rig: Rig, opened: ExitStack) -> None:
    subscription = subscriber(rig, opened, "tracker")
    with pytest.raises(HandshakeError, match="no role for this socket"):
        until(lambda: subscription.poll() is not None)
    assert any("'telemetry' needs one of controller,observer" in line for line in rig.log)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (keys_of("stranger"), REFUSED),
        (keys_of("alice", OTHER), WRONG_SERVER_KEY),
        (None, "admits only clients with keys"),
    ],
)
def test_the_client_is_given_the_reason(rig: Rig, keys: ClientKeys | None, reason: str) -> None:
    with Connection(rig.listeners.addresses.commands, 1.0, keys) as connection:
        with pytest.raises(HandshakeError) as info:
            connection.ask(Hello())
        assert reason in str(info.value)


def test_a_server_without_keys_is_named() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        address = f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}"
        with Connection(address, 5.0, keys_of("alice")) as connection:
            with pytest.raises(HandshakeError) as info:
                connection.ask(Hello())
            # If the server ends the connection before its greeting is read, the reason is a guess.
            assert any(text in str(info.value) for text in (NO_SERVER_KEYS, WRONG_SERVER_KEY))
            assert "no keys" in str(info.value)
