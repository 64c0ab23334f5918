"""Invalid input to a real server: every message is refused with a reason and has no effect."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from tests.support.served import DEADLINE_S, Served, until

from skill_proto.wire import MAX_FRAME_BYTES, MAX_HEADER_BYTES
from skill_runtime.transport.sockets import CUT_OFF_BYTES

Header = dict[str, Any]


class Peer:
    """A client that uses only ZeroMQ and JSON."""

    def __init__(self, address: str) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.connect(address)
        self.lease = ""
        self.time = 0.0
        self.seq = 0

    def receive(self, deadline_s: float = DEADLINE_S) -> Header:
        assert self.socket.poll(int(deadline_s * 1e3)), "no reply"
        reply: Header = json.loads(self.socket.recv_multipart()[0])
        self.time = reply["time"]
        return reply

    def ask(self, *frames: bytes) -> Header:
        self.socket.send_multipart(frames)
        return self.receive()

    def say(self, **message: object) -> Header:
        return self.ask(json.dumps({"v": 1, "id": 7, **message}).encode())

    def acquire(self, ttl_s: float = 60.0) -> None:
        reply = self.say(type="acquire", holder="peer", ttl_s=ttl_s)
        assert reply["type"] == "granted", reply
        self.lease, self.seq = reply["lease"], 0

    def command(self, **fields: object) -> Header:
        self.seq += 1
        message: Header = {"lease": self.lease, "seq": self.seq, "reference_time": self.time}
        if fields["type"] in ("skill", "goal", "servo_joint", "servo_pose"):
            message["valid_for_s"] = 30.0
        return self.say(**message | fields)

    def close(self) -> None:
        self.socket.close()
        self.context.term()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Peer]]:
    peers: list[Peer] = []

    def start(address: str) -> Peer:
        peers.append(Peer(address))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


@pytest.fixture
def peer(served: Served, connect: Callable[[str], Peer]) -> Peer:
    """A client that holds the lease and runs a skill."""
    peer = connect(served.address)
    peer.acquire()
    assert peer.command(type="skill", skill=[0.6, 0.8])["type"] == "ok"
    return peer


def assert_untouched(served: Served, peer: Peer) -> None:
    """The skill still runs under its lease, and the next command is accepted."""
    authority = served.server.authority
    assert authority.mode == "skill"
    assert authority.command is not None
    assert authority.command.vector.tolist() == pytest.approx([0.6, 0.8])
    assert authority.lease is not None
    assert authority.lease.token == peer.lease
    peer.seq = authority.seq
    assert peer.command(type="skill", skill=[0.6, 0.8])["type"] == "ok"


def assert_refused(served: Served, reply: Header, code: str, *words: str) -> None:
    assert (reply["type"], reply["code"]) == ("error", code), reply
    assert reply["fix"]
    for word in words:
        assert word in reply["message"], reply
    # The refusal is counted in the telemetry.
    assert served.server.authority.events.counters[f"rejected.{code}"] >= 1


COMMAND = (
    '{"v":1,"id":7,"type":"skill","lease":"%s","seq":9,"reference_time":%f,'
    '"valid_for_s":1,"skill":%s}'
)


@pytest.mark.parametrize(
    ("skill", "code", "words"),
    [
        ("[NaN, 1]", "invalid", ["finite number"]),
        ("[Infinity, 1]", "invalid", ["finite number"]),
        ("[1e999, 1]", "invalid", ["finite number"]),
        ("[1]", "invalid", ["1 entries", "takes 2"]),
        ("[1, 0, 0]", "invalid", ["3 entries", "takes 2"]),
        ("[0, 0]", "invalid", ["no direction"]),
        ("[]", "invalid", ["at least 1"]),
        ('["a", 1]', "invalid", ["valid number"]),
        ("[[1, 0]]", "invalid", ["valid number"]),
        ("null", "invalid", ["skill"]),
        ("[" + ",".join(["0.5"] * 5000) + "]", "invalid", ["at most 1024"]),
    ],
)
def test_malformed_skills(
    served: Served, peer: Peer, skill: str, code: str, words: list[str]
) -> None:
    reply = peer.ask((COMMAND % (peer.lease, peer.time, skill)).encode())
    assert_refused(served, reply, code, *words)
    assert reply["id"] == 7
    assert_untouched(served, peer)


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        (b'{"v":1,"id":7,"type":"dance"}', "unknown_type", ["dance"]),
        (b'{"v":1,"id":7}', "unknown_type", ["no type"]),
        (b'{"v":2,"id":7,"type":"hello"}', "wrong_version", ["2"]),
        (b'{"v":1,"id":7,"type":"hello","more":1}', "invalid", ["more"]),
        (b'{"v":1,"id":7,"type":"stop"}', "unknown_type", ["stop"]),
        (b"", "malformed", ["JSON"]),
        (b"\x00\xff\xfe\x80", "malformed", ["JSON"]),
        (b"[" * 30_000, "malformed", ["JSON"]),
        (b'"hello"', "invalid", []),
        (b"\x80\x04\x95cos\nsystem\n(S'id'\ntR.", "malformed", ["JSON"]),
        (b" " * (MAX_HEADER_BYTES + 1), "too_large", [str(MAX_HEADER_BYTES)]),
        (b" " * (MAX_FRAME_BYTES + 1), "too_large", [str(MAX_FRAME_BYTES)]),
    ],
)
def test_malformed_headers(
    served: Served, peer: Peer, header: bytes, code: str, words: list[str]
) -> None:
    assert_refused(served, peer.ask(header), code, *words)
    assert_untouched(served, peer)


@pytest.mark.parametrize("count", [2, 9, 10, 1000])
def test_frames_that_the_header_does_not_name(served: Served, peer: Peer, count: int) -> None:
    hello = b'{"v":1,"id":7,"type":"hello"}'
    reply = peer.ask(hello, *[b"x"] * (count - 1))
    assert reply["type"] == "error", reply
    assert reply["code"] == ("malformed" if count <= 9 else "too_large")
    assert_untouched(served, peer)


def test_commands_without_the_lease(
    served: Served, peer: Peer, connect: Callable[[str], Peer]
) -> None:
    other = connect(served.address)
    other.lease = "0" * 32
    other.say(type="hello")
    for fields in (
        {"type": "skill", "skill": [1, 0]},
        {"type": "goal", "goal": [0, 0]},
        {"type": "servo_joint", "joint_position": [0, 0, 0, -2, 0, 2, 0]},
        {"type": "servo_pose", "end_effector_position": [0, 0, 0.1]},
        {"type": "hold"},
        {"type": "reset"},
        {"type": "scene", "mass": 1.0},
    ):
        assert_refused(served, other.command(**fields), "no_lease")
    for kind in ("renew", "release"):
        assert_refused(served, other.say(type=kind, lease=other.lease), "no_lease")
    assert_refused(
        served, other.say(type="acquire", holder="other", ttl_s=1), "lease_held", "'peer'"
    )
    assert_untouched(served, peer)


def test_commands_that_are_old_early_or_repeated(served: Served, peer: Peer) -> None:
    skill = {"type": "skill", "skill": [1, 0]}
    assert_refused(served, peer.command(**skill, reference_time=peer.time - 31), "stale", "old")
    assert_refused(served, peer.command(**skill, reference_time=peer.time + 10), "stale", "ahead")
    assert_refused(served, peer.command(**skill, seq=1), "out_of_order", "1")
    assert_refused(served, peer.command(type="reset", reference_time=peer.time - 5), "stale", "old")
    assert_untouched(served, peer)


def test_motions_out_of_range(served: Served, peer: Peer) -> None:
    for fields in (
        {"type": "servo_joint", "joint_position": [9, 0, 0, -2, 0, 2, 0]},
        {"type": "servo_joint", "joint_position": [0, 0]},
        {"type": "servo_pose", "end_effector_position": [0, 0, 9]},
        {"type": "goal", "goal": [9, 9]},
        {"type": "skill", "skill": [1, 0], "gripper_width": 0.5},
        {"type": "scene", "mass": -1},
        {"type": "scene", "mass": 0.0005},
        {"type": "scene", "friction": 0},
    ):
        assert_refused(served, peer.command(**fields), "invalid")
    assert_untouched(served, peer)


def test_after_the_lease_expires_the_arm_holds(
    served: Served, connect: Callable[[str], Peer]
) -> None:
    peer = connect(served.address)
    peer.acquire(ttl_s=0.3)
    assert peer.command(type="skill", skill=[1, 0])["type"] == "ok"
    until(lambda: served.server.authority.mode == "hold")
    assert served.server.authority.events.counters["lease_lost"] == 1
    assert_refused(served, peer.command(type="skill", skill=[1, 0]), "no_lease", "not renewed")
    until(lambda: max(map(abs, _telemetry(served)["joint_velocity"])) < 0.01)


def test_while_stopped_every_motion_is_refused(
    served: Served, peer: Peer, connect: Callable[[str], Peer]
) -> None:
    anyone = connect(served.server.addresses.stop)
    assert anyone.say(type="stop", reason="smoke")["type"] == "ok"
    assert_refused(served, peer.command(type="skill", skill=[1, 0]), "no_lease", "smoke")
    reply = peer.say(type="acquire", holder="peer", ttl_s=1)
    assert_refused(served, reply, "not_now", "smoke")
    assert served.server.authority.mode == "stopped"
    assert peer.say(type="clear")["type"] == "ok"
    peer.acquire()
    assert peer.command(type="skill", skill=[1, 0])["type"] == "ok"


@pytest.mark.parametrize(
    "header",
    [
        b'{"v":1,"id":7,"type":"stop","reason":"x"}',
        b'{"v":9,"id":7,"type":"stop"}',
        b'{"type":"stop","reason":5,"more":[]}',
        b'{"type":"stop","reason":"%s"}' % (b"x" * 2 * MAX_HEADER_BYTES),
    ],
)
def test_a_malformed_stop_still_stops(
    served: Served, peer: Peer, connect: Callable[[str], Peer], header: bytes
) -> None:
    assert served.server.authority.mode == "skill"
    assert connect(served.server.addresses.stop).ask(header)["type"] == "ok"
    assert served.server.authority.mode == "stopped"


def test_a_stop_of_a_req_socket_stops(
    served: Served, peer: Peer, connect: Callable[[str], Peer]
) -> None:
    assert connect(served.server.addresses.stop).ask(b"", b'{"type":"stop"}')["type"] == "ok"
    assert served.server.authority.mode == "stopped"


def test_the_stop_socket_accepts_only_stops(served: Served, connect: Callable[[str], Peer]) -> None:
    reply = connect(served.server.addresses.stop).say(type="hello")
    assert_refused(served, reply, "unknown_type", "hello")
    assert "stop" in reply["fix"]


@pytest.mark.parametrize("header", [b"", b"stop", b'{"v":1,"type":"hello"}', b"[]", b"\xff"])
def test_other_messages_on_the_stop_socket_do_not_stop(
    served: Served, peer: Peer, connect: Callable[[str], Peer], header: bytes
) -> None:
    assert connect(served.server.addresses.stop).ask(header)["type"] == "error"
    assert_untouched(served, peer)


def test_a_message_of_a_million_parts(
    served: Served, peer: Peer, connect: Callable[[str], Peer]
) -> None:
    flood = connect(served.address)
    for _ in range(999_999):
        flood.socket.send(b"x", zmq.SNDMORE)
    flood.socket.send(b"x")
    ticks = served.server.loop.latest
    assert ticks is not None
    # A million frames keep the processor busy for long, so the deadline is longer.
    assert_refused(served, flood.receive(4 * DEADLINE_S), "too_large", "more than 9 frames")
    assert_untouched(served, peer)  # waits until the server has dropped the flood
    assert _telemetry(served)["tick"] > ticks.tick
    assert flood.say(type="hello")["type"] == "welcome"


def test_a_stop_that_takes_long_to_read_stops_unread(
    served: Served, connect: Callable[[str], Peer]
) -> None:
    peer = connect(served.server.addresses.stop)
    arrays = b"[" + b"[]," * 1_000_000 + b"[]]"
    reply = peer.ask(*[arrays] * 9)
    assert_refused(served, reply, "too_large", "stopped all the same")
    assert served.server.authority.mode == "stopped"


def test_a_flooded_stop_socket_stops(
    served: Served, peer: Peer, connect: Callable[[str], Peer]
) -> None:
    flood = connect(served.server.addresses.stop)
    reply = flood.ask(*[b"x"] * 10_000)
    assert_refused(served, reply, "too_large", "stopped all the same")
    assert served.server.authority.mode == "stopped"
    assert flood.say(type="stop")["type"] == "ok"


def test_a_frame_beyond_every_limit_ends_only_its_connection(
    served: Served, peer: Peer, connect: Callable[[str], Peer]
) -> None:
    huge = connect(served.address)
    huge.socket.send(bytes(CUT_OFF_BYTES + 1))
    assert not huge.socket.poll(300)
    assert_untouched(served, peer)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f" * 9, b""],
)
def test_bytes_that_are_not_zeromq(served: Served, peer: Peer, garbage: bytes) -> None:
    addresses = served.server.addresses
    for address in (addresses.commands, addresses.telemetry, addresses.stop):
        host, port = address.removeprefix("tcp://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(garbage)
    assert_untouched(served, peer)


CLIENT = """
import sys, time
from skill_runtime.client import SkillClient
with SkillClient(sys.argv[1], timeout_s=20) as client, client.acquire("doomed", ttl_s=0.5):
    while True:
        client.skill([1, 0], valid_for_s=20)
        print("moving", flush=True)
        time.sleep(0.05)
"""

HALF_A_MESSAGE = """
import sys, time, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.connect(sys.argv[1])
for _ in range(1000):
    socket.send(b"x" * 1000, zmq.SNDMORE)
print("half", flush=True)
time.sleep(60)
"""


def _killed(code: str, address: str, lines: int) -> None:
    """Runs a client until it has printed ``lines`` lines, then kills it with -9."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, address], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(lines):
        assert process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_after_kill_9_of_a_client_the_arm_comes_to_rest(served: Served) -> None:
    _killed(CLIENT, served.address, 20)
    until(lambda: served.server.authority.mode == "hold")
    assert served.server.authority.events.counters["lease_lost"] == 1
    assert "doomed" in served.server.authority.events.last_event
    until(lambda: max(map(abs, _telemetry(served)["joint_velocity"])) < 0.01)


def test_a_client_killed_during_a_message_has_no_effect(served: Served, peer: Peer) -> None:
    _killed(HALF_A_MESSAGE, served.address, 1)
    assert_untouched(served, peer)


def _telemetry(served: Served) -> Header:
    latest = served.server.loop.latest
    assert latest is not None
    return json.loads(latest.model_dump_json())


def test_telemetry_is_valid_by_its_own_schema(served: Served, peer: Peer, tmp_path: Path) -> None:
    """The control loop builds telemetry without validation."""
    from skill_proto.messages import Telemetry

    until(lambda: _telemetry(served)["action"] is not None)
    text = json.dumps(_telemetry(served))
    state = Telemetry.model_validate_json(text, strict=True)
    assert state.lease_holder == "peer"
    assert state.command == "skill"
    assert state.skill == pytest.approx((0.6, 0.8), abs=1e-6)
    assert len(state.joint_position) == 7
