"""The stop socket under attack: each stop is read, and a blocked socket keeps the arm stopped."""

from __future__ import annotations

import subprocess
import sys

import pytest
from benchmarks.serving.hostile.attacks.frames import frames_on_stop, one_byte_frames
from benchmarks.serving.hostile.attacks.stops import (
    ESCAPED,
    FRAMES,
    HOSTILE_TEXTS,
    STOPS,
    stop_flood,
)
from benchmarks.serving.hostile.attacks.unfinished import unfinished_on_stop
from benchmarks.serving.hostile.bystanders import Bystanders
from benchmarks.serving.hostile.contract import FORGED, RAW_CONTROL
from benchmarks.serving.hostile.observed import now
from benchmarks.serving.hostile.rig import Server
from benchmarks.serving.hostile.zmtp import RawPeer, message
from tests.runtime.hostile.attacked import (
    Watch,
    ask,
    settled,
    start,
    under,
    until_it_moves,
    until_mode,
)
from tests.support.served import DEADLINE_S

FORGED_STOP = b'{"type":"stop","reason":"%s"}' % ESCAPED

READ_S = 5.0
"""A stop behind no other message is read within this time, also on a busy machine [s]."""

FEW_LINES = 100
"""Lines of the log after a flood of thousands of stops."""


def stops_at_once(clients: Bystanders) -> None:
    """Fails the test if the arm, which moves, does not follow a stop soon."""
    clients.forget()
    clients.moving = False
    stop = clients.stop()
    read = clients.run(now() + READ_S, lambda: stop.accepted and stop.read_s < READ_S)
    assert read, f"no reply to the stop, and the arm goes on: {clients.state}"
    until_mode(clients, "stopped")


def test_after_a_message_of_3_million_frames_the_next_stop_is_read(
    server: Server, clients: Bystanders
) -> None:
    clients.moving = False
    with under(frames_on_stop, server, lasts_s=3.0):
        until_mode(clients, "stopped")
    until_it_moves(clients)  # once `clear` is accepted, no stop may wait behind the message
    stops_at_once(clients)


def test_clear_is_refused_while_the_stop_socket_is_flooded(
    server: Server, clients: Bystanders
) -> None:
    clients.moving = False
    before = server.log.read_text(errors="replace").count("\n")
    flood = start(stop_flood, server, lasts_s=4.0)
    until_mode(clients, "stopped")
    clients.run(now() + 1.0)  # the arm comes to rest, which is another reason to refuse `clear`
    codes: list[str] = []
    while flood.is_alive():
        codes.append(ask(server.addresses.commands, {"type": "clear"}).get("code", "accepted"))
    flood.join()
    assert "not_now" in codes
    until_it_moves(clients)
    assert server.log.read_text(errors="replace").count("\n") - before < FEW_LINES


@pytest.mark.parametrize("name", [*STOPS, *FRAMES])
def test_whatever_contains_a_stop_stops(server: Server, clients: Bystanders, name: str) -> None:
    clients.moving = False
    frames = FRAMES.get(name) or (STOPS[name],)
    with RawPeer(server.addresses.stop) as peer:
        peer.send(message(*frames))
        until_mode(clients, "stopped")


@pytest.mark.parametrize("frames", [3, 1000, 50_000])
def test_a_stop_among_many_frames_stops(server: Server, clients: Bystanders, frames: int) -> None:
    clients.moving = False
    with RawPeer(server.addresses.stop) as peer:
        peer.send(one_byte_frames(frames)[:-3] + message(b"x", STOPS["plain"]))
        until_mode(clients, "stopped")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"id":3}', b'{"v":2}', b"[]", b"null", b'{"type":"hello"}', b"\xff\xfe"]
)
def test_the_reply_to_a_message_without_a_stop_is_true(
    server: Server, clients: Bystanders, body: bytes
) -> None:
    clients.moving = False
    accepted = ask(server.addresses.stop, body)["type"] == "ok"
    settled(clients)
    assert (clients.state.mode == "stopped") == accepted


@pytest.mark.parametrize("frozen", [False, True])
def test_the_newest_connection_with_an_identity_can_stop(
    server: Server, clients: Bystanders, frozen: bool
) -> None:
    clients.moving = False
    with RawPeer(server.addresses.stop, identity=b"estop") as first:
        first.send(message(b'{"type":"hello"}'))
        if not frozen:
            first.ended_within(0.2)  # reads the reply
        reply = ask(server.addresses.stop, {"type": "stop"}, READ_S, identity=b"estop")
        assert reply.get("type") == "ok"
        until_mode(clients, "stopped")


def test_the_newest_connection_with_an_identity_is_answered(server: Server) -> None:
    with RawPeer(server.addresses.commands, identity=b"panel") as first:
        first.send(message(b'{"type":"hello"}'))
        reply = ask(server.addresses.commands, {"type": "hello"}, READ_S, identity=b"panel")
        assert reply.get("type") == "welcome"


def test_reasons_and_names_are_escaped_in_log_and_messages(
    server: Server, clients: Bystanders
) -> None:
    clients.moving = False
    with RawPeer(server.addresses.stop) as peer, RawPeer(server.addresses.commands) as other:
        other.send(b"".join(map(message, HOSTILE_TEXTS)))
        peer.send(message(FORGED_STOP))
        until_mode(clients, "stopped")
    refusal = ask(server.addresses.commands, {"type": "acquire", "holder": "next"})
    assert refusal["code"] == "not_now"
    assert "cleared by operator" in refusal["message"]
    assert not RAW_CONTROL.findall(refusal["message"] + clients.state.last_event)
    words = ["skill", "1", "0", "--address", server.addresses.commands]
    control = subprocess.run(
        [sys.executable, "-m", "skill_runtime.cli.control", *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert control.returncode != 0
    assert not RAW_CONTROL.findall(control.stdout + control.stderr)
    log = server.log.read_bytes().decode(errors="backslashreplace")
    assert not RAW_CONTROL.findall(log)
    assert not [line for line in log.splitlines() if line.startswith(FORGED)]


def test_an_unfinished_message_on_the_stop_socket_is_bounded(
    server: Server, clients: Bystanders
) -> None:
    watch = Watch(server)
    with under(unfinished_on_stop, server, lasts_s=4.0):
        settled(clients)
    watch.check()
    until_it_moves(clients)
    stops_at_once(clients)
