"""Invalid input to a real server: every message is refused with a reason and has no effect."""

from __future__ import annotations

import socket

import pytest
import zmq
from benchmarks.serving.hostile.zmtp import MORE, RawPeer, connect_tcp, frame
from tests.runtime.server.raw_client import (
    SKILL,
    RawClient,
    Refusals,
    assert_untouched,
    counted_refusals,
)
from tests.support.served import DEADLINE_S, LocalServer

from skill_proto.messages import TELEMETRY
from skill_proto.wire import MAX_FRAME_BYTES, MAX_HEADER_BYTES
from skill_runtime.transport.options import CUT_OFF_BYTES
from skill_runtime.transport.router_reader import MAX_DROPPED_PARTS

DEADLINE_MS = int(1e3 * DEADLINE_S)

COMMAND = (
    '{"v":1,"id":7,"type":"skill","lease":"%s","seq":9,"reference_time":%f,'
    '"valid_for_s":1,"skill":%s}'
)


@pytest.mark.parametrize(
    ("skill", "words"),
    [
        ("[NaN, 1]", ["finite number"]),
        ("[Infinity, 1]", ["finite number"]),
        ("[1e999, 1]", ["finite number"]),
        ("[1]", ["1 entries", "takes 2"]),
        ("[1, 0, 0]", ["3 entries", "takes 2"]),
        ("[0, 0]", ["no direction"]),
        ("[]", ["0 entries", "takes 2"]),
        ('["a", 1]', ["valid number"]),
        ("[true, 1]", ["valid number"]),
        ("[[1, 0]]", ["valid number"]),
        ("null", ["skill"]),
        ("[" + ",".join(["0.5"] * 5000) + "]", ["at most 1024"]),
    ],
)
def test_malformed_skills(
    live: LocalServer, mover: RawClient, refusals: Refusals, skill: str, words: list[str]
) -> None:
    reply = mover.ask((COMMAND % (mover.lease, mover.time, skill)).encode())
    refusals.check(reply, "invalid", *words)
    assert reply["id"] == 7
    assert_untouched(live, mover)


@pytest.mark.parametrize(
    ("header", "code", "words"),
    [
        (b'{"v":1,"id":7,"type":"dance"}', "unknown_type", ["dance"]),
        (b'{"v":1,"id":7}', "unknown_type", ["no type"]),
        (b'{"v":2,"id":7,"type":"hello"}', "wrong_version", ["2"]),
        (b'{"v":true,"id":7,"type":"hello"}', "invalid", ["v"]),
        (b'{"v":1.0,"id":7,"type":"hello"}', "invalid", ["v"]),
        (b'{"v":1,"id":7,"type":"hello","more":1}', "invalid", ["more"]),
        (b'{"v":1,"id":7,"type":"clear","instance":"other"}', "wrong_server", ["other"]),
        (b'{"v":1,"id":7,"type":"stop"}', "unknown_type", ["stop"]),
        (b'{"v":1,"id":7,"type":"act","session":"s","arrays":[]}', "not_supported", ["policy"]),
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
    live: LocalServer,
    mover: RawClient,
    refusals: Refusals,
    header: bytes,
    code: str,
    words: list[str],
) -> None:
    reply = mover.ask(header)
    refusals.check(reply, code, *words)
    assert reply["id"] == (7 if b'"id":7' in header else 0)
    assert_untouched(live, mover)


@pytest.mark.parametrize(
    ("count", "code"),
    [(2, "malformed"), (9, "malformed"), (10, "too_large"), (1000, "too_large")],
)
def test_only_act_has_more_than_one_frame(
    live: LocalServer, mover: RawClient, refusals: Refusals, count: int, code: str
) -> None:
    reply = mover.ask(b'{"v":1,"id":7,"type":"clear"}', *[b"x"] * (count - 1))
    refusals.check(reply, code)
    assert_untouched(live, mover)


def test_commands_without_the_lease(
    live: LocalServer, mover: RawClient, refusals: Refusals, other: RawClient
) -> None:
    other.lease = "0" * 32
    for fields in (
        {"type": "skill", "skill": [1, 0]},
        {"type": "goal", "goal": [0, 0]},
        {"type": "servo_joint", "joint_position": [0, 0, 0, -2, 0, 2, 0]},
        {"type": "servo_pose", "end_effector_position": [0, 0, 0.1]},
        {"type": "hold"},
        {"type": "reset"},
        {"type": "scene", "mass": 1.0},
    ):
        refusals.check(other.command(**fields), "no_lease")
    for kind in ("renew", "release"):
        refusals.check(other.say(type=kind, lease=other.lease), "no_lease")
    reply = other.say(type="acquire", holder="other", ttl_s=1)
    refusals.check(reply, "lease_held", "'mover'")
    assert_untouched(live, mover)


def test_commands_that_are_old_early_or_repeated(
    live: LocalServer, mover: RawClient, refusals: Refusals
) -> None:
    skill = {"type": "skill", "skill": [1, 0]}
    refusals.check(mover.command(**skill, reference_time=mover.time - 61), "stale", "old")
    refusals.check(mover.command(**skill, reference_time=mover.time + 1e6), "stale", "ahead")
    refusals.check(mover.command(**skill, seq=1), "out_of_order", "1")
    refusals.check(mover.command(type="reset", reference_time=mover.time - 5), "stale", "old")
    assert_untouched(live, mover)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "servo_joint", "joint_position": [9, 0, 0, -2, 0, 2, 0]},
        {"type": "servo_joint", "joint_position": [0, 0]},
        {"type": "servo_pose", "end_effector_position": [0, 0, 9]},
        {"type": "goal", "goal": [9, 9]},
        {"type": "skill", "skill": [1, 0], "gripper_width": 0.5},
        {"type": "scene", "mass": -1},
        {"type": "scene", "mass": 0.0005},
        {"type": "scene", "friction": 0},
    ],
    ids=str,
)
def test_numbers_out_of_range(
    live: LocalServer, mover: RawClient, refusals: Refusals, fields: dict[str, object]
) -> None:
    refusals.check(mover.command(**fields), "invalid")
    assert_untouched(live, mover)


def test_a_message_of_very_many_frames(
    live: LocalServer, mover: RawClient, refusals: Refusals, other: RawClient
) -> None:
    """It is refused and dropped while the arm moves; a still longer one ends a real gateway."""
    before = live.latest
    assert before is not None
    reply = other.ask(*[b"x"] * (MAX_DROPPED_PARTS // 2))
    refusals.check(reply, "too_large", "more than 9 frames")
    assert_untouched(live, mover)  # waits until the server has dropped the frames
    after = live.latest
    assert after is not None
    assert after.tick > before.tick
    assert other.say(type="hello")["type"] == "welcome"


def test_a_frame_beyond_every_limit_ends_only_its_connection(
    live: LocalServer, mover: RawClient, other: RawClient
) -> None:
    events = other.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    other.socket.send(bytes(CUT_OFF_BYTES + 1))
    assert events.poll(DEADLINE_MS), "the connection stays open"
    other.socket.disable_monitor()
    events.close()
    assert_untouched(live, mover)


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f" * 9, b""],
    ids=["http", "ones", "greetings", "empty"],
)
def test_bytes_that_are_not_zeromq(live: LocalServer, mover: RawClient, garbage: bytes) -> None:
    addresses = live.addresses
    for address in (addresses.commands, addresses.telemetry, addresses.stop):
        _send_to_the_end(address, garbage)
    assert_untouched(live, mover)


def _send_to_the_end(address: str, content: bytes) -> None:
    """Sends bytes, and returns when the server has closed the connection."""
    with connect_tcp(address, DEADLINE_S) as connection:
        try:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        except TimeoutError:
            raise
        except OSError:  # closed before all bytes were read
            pass


@pytest.mark.parametrize("end", [RawPeer.close, RawPeer.reset], ids=["closed", "reset"])
def test_a_message_whose_client_ends_before_its_last_frame(
    live: LocalServer, mover: RawClient, refusals: Refusals, other: RawClient, end: object
) -> None:
    peer = RawPeer(live.addresses.commands)
    peer.send(frame(b'{"type":"clear"}', MORE) + frame(b"x" * 1000, MORE) * 5 + frame(b"x")[:1])
    assert callable(end)
    end(peer)
    assert other.say(type="hello")["type"] == "welcome"
    refusals.check_no_other()
    assert_untouched(live, mover)


def test_refusals_of_all_processes_are_in_telemetry_which_is_valid(
    live: LocalServer, mover: RawClient, refusals: Refusals
) -> None:
    """Telemetry is built without validation."""
    refusals.check(mover.ask(b"x"), "malformed")  # by the gateway
    reply = mover.command(type="skill", skill=SKILL, seq=1)
    refusals.check(reply, "out_of_order")  # by the controller
    counted = counted_refusals(live)
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.linger = 0
        subscriber.subscribe(b"")
        subscriber.connect(live.addresses.telemetry)
        while True:
            assert subscriber.poll(DEADLINE_MS), "no telemetry"
            state = TELEMETRY.validate_json(subscriber.recv(), strict=True)
            if state.action is not None and state.counters["rejected"] == sum(counted.values()):
                break
    assert counted.items() <= state.counters.items()
    assert (state.lease_holder, state.command) == ("mover", "skill")
    assert state.skill == pytest.approx(SKILL, abs=1e-6)
    assert len(state.joint_position) == 7
