"""Every shape of message on a real stop socket: which of them stop the arm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import zmq
from tests.support.served import DEADLINE_S

from skill_proto.messages import REPLY
from skill_runtime.channel.stop_requests import BYTES, StopRequests
from skill_runtime.stop_listener.listener import MAX_REASON_LENGTH, StopListener

INSTANCE = "5e4e5e4e5e4e5e4e"
STOP = b'{"type":"stop"}'


class Rig:
    """A listener on a real socket, a client of it, and a controller that stops at once."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket, self.client = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.client.connect(f"tcp://127.0.0.1:{port}")
        self.stops = StopRequests(memoryview(bytearray(BYTES)))
        self.wakes = 0
        self.listener = StopListener(self.socket, self.stops, self._wake, lambda: 12.5, INSTANCE)

    def _wake(self) -> None:
        self.wakes += 1

    def ask(self, *frames: bytes) -> dict[str, Any]:
        """Sends a message and returns the reply, which is valid by its schema."""
        self.client.send_multipart(frames)
        while not self.client.poll(0):
            assert self.socket.poll(1e3 * DEADLINE_S), "the message never arrived"
            self.listener.step()
            self.stops.executed = self.stops.requested
            self.listener.confirm()
            self.client.poll(20)
        (reply,) = self.client.recv_multipart()
        REPLY.validate_json(reply, strict=True)
        return json.loads(reply)

    def close(self) -> None:
        for socket in (self.socket, self.client):
            socket.close(linger=0)


@pytest.fixture(scope="module")
def shared() -> Iterator[Rig]:
    with zmq.Context() as context:
        rig = Rig(context)
        yield rig
        rig.close()


@pytest.fixture
def rig(shared: Rig) -> Rig:
    """The rig of the module, without stops."""
    shared.stops.__init__(memoryview(bytearray(BYTES)))  # type: ignore[misc]
    shared.wakes = 0
    return shared


def stop(**fields: object) -> bytes:
    return json.dumps({"type": "stop", **fields}).encode()


READABLE = {
    "plain": (STOP, ""),
    "reason": (stop(v=1, id=7, reason="smoke"), "smoke"),
    "no type": (b"{}", ""),
    "no type, an id": (b'{"id":3}', ""),
    "no type, a reason": (b'{"reason":"x"}', "x"),
    "no type, a version": (b'{"v":1}', ""),
    "another version": (stop(v=9), ""),
    "version true": (stop(v=True), ""),
    "unknown fields": (stop(more=[1], reason="x"), "x"),
    "reason null": (stop(reason=None), ""),
    "reason a number": (stop(reason=5), "5"),
    "reason true": (stop(reason=True), "True"),
    "reason an array": (stop(reason=["a"]), "['a']"),
    "reason an object": (stop(reason={}), ""),
    "long reason": (stop(reason="y" * 300), "y" * MAX_REASON_LENGTH),
    "very long reason": (stop(reason="y" * 60_000), "y" * MAX_REASON_LENGTH),
    "256 emoji": (stop(reason="\U0001f6d1" * 300), "\U0001f6d1" * 256),
    "half an emoji": (b'{"type":"stop","reason":"ab\\ud83d"}', "ab?"),
    "the other half": (b'{"type":"stop","reason":"\\ude91"}', "?"),
    "half an emoji in UTF-8": (b'{"type":"stop","reason":"\xed\xa0\xbd"}', "?"),
    "file name": (stop(reason="file \udcff"), "file ?"),
    "control characters": (stop(reason="ok\nserver: \x1b[2K"), "ok\nserver: \x1b[2K"),
    "NaN": (b'{"type":"stop","reason":NaN}', "nan"),
    "huge number": (b'{"type":"stop","reason":1e999}', "inf"),
    "a name twice": (b'{"type":"hello","type":"stop"}', ""),
    "nested 300 deep": (b'{"type":"stop","reason":%s%s}' % (b"[" * 300, b"]" * 300), "[" * 256),
    "UTF-16": (STOP.decode().encode("utf-16"), ""),
    "UTF-16 without a mark": (STOP.decode().encode("utf-16-le"), ""),
    "UTF-32": (STOP.decode().encode("utf-32"), ""),
    "byte order mark": (b"\xef\xbb\xbf" + STOP, ""),
    "instance null": (stop(instance=None), ""),
    "own instance": (stop(instance=INSTANCE), ""),
    "instance empty": (stop(instance=""), ""),
    "instance a number": (stop(instance=5), ""),
    "instance an array": (stop(instance=[]), ""),
}
"""Objects of type ``stop``, and the reason that is kept."""

BROKEN = {
    "NUL behind": STOP + b"\0",
    "NUL before": b"\0" + STOP,
    "raw newline": b'{"type":"stop","reason":"a\nb"}',
    "Latin-1": b'{"type":"stop","reason":"\xe4"}',
    "trailing comma": b'{"type":"stop",}',
    "single quotes": b"{'type':'stop'}",
    "no quotes": b"{type: stop}",
    "truncated": b'{"type":"stop","reas',
    "two objects": STOP + STOP,
    "nested 30,000 deep": b'{"type":"stop","reason":' + b"[" * 30_000,
    "integer of 5,000 digits": b'{"type":"stop","reason":%s}' % (b"9" * 5000),
    "UTF-16, broken": b'{"type":"stop",'.decode().encode("utf-16-be"),
    "the word": b"stop",
    "the word in capitals": b"STOP!",
    "a JSON text": b'"stop"',
    "an array": b'["stop"]',
    "a number in front": b"1 stop",
}
"""Not an object, but it contains ``stop``."""

NO_STOP = {
    "empty": b"",
    "empty array": b"[]",
    "null": b"null",
    "number": b"5",
    "not UTF-8": b"\xff\xfe\x80",
    "hello": b'{"v":1,"type":"hello"}',
    "hello, about a stop": b'{"type":"hello","client":"stop panel"}',
    "another type": b'{"type":"stopped"}',
    "type null": b'{"type":null}',
    "type twice": b'{"type":"stop","type":"hello"}',
}


@pytest.mark.parametrize("name", READABLE)
def test_an_object_of_type_stop_stops_and_its_reason_is_kept(rig: Rig, name: str) -> None:
    message, reason = READABLE[name]
    reply = rig.ask(message)
    assert (reply["type"], reply["time"], reply["instance"]) == ("ok", 12.5, INSTANCE)
    assert (rig.stops.requested, rig.stops.reason) == (1, reason)
    assert rig.wakes >= 1


@pytest.mark.parametrize("name", BROKEN)
def test_whatever_cannot_be_read_and_contains_stop_stops(rig: Rig, name: str) -> None:
    reply = rig.ask(BROKEN[name])
    assert (reply["type"], reply["id"]) == ("ok", 0)
    assert (rig.stops.requested, rig.stops.reason) == (1, "(from a malformed message)")


@pytest.mark.parametrize("name", NO_STOP)
def test_other_messages_are_refused_and_do_not_stop(rig: Rig, name: str) -> None:
    reply = rig.ask(NO_STOP[name])
    assert (reply["type"], reply["code"]) == ("error", "unknown_type")
    assert "not a stop" in reply["message"]
    assert "stop" in reply["fix"]
    assert rig.stops.requested == 0
    assert rig.wakes == 0


FRAMES = {
    "of a REQ socket": [b"", STOP],
    "behind another frame": [b'{"type":"hello"}', STOP],
    "in front of another frame": [STOP, b"x"],
    "the last of nine frames": [b"x"] * 8 + [STOP],
    "among empty frames": [b"", b"", STOP, b""],
    "broken, behind a hello": [b'{"type":"hello"}', b"stop"],
    "twice": [STOP, STOP],
    "for another server and for this one": [stop(instance="other"), STOP],
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_stop_in_any_frame_stops(rig: Rig, name: str) -> None:
    assert rig.ask(*FRAMES[name])["type"] == "ok"
    assert rig.stops.requested == 1


@pytest.mark.parametrize(
    "frames",
    [[b"x"] * 9 + [STOP], [b"x"] * 10, [b"x"] * 1000, [b"y" * 70_000], [b"y" * 40_000] * 2],
)
def test_a_message_that_is_too_long_stops_unread(rig: Rig, frames: list[bytes]) -> None:
    reply = rig.ask(*frames)
    assert (reply["type"], reply["code"]) == ("error", "too_large")
    assert "stopped" in reply["message"]
    assert rig.stops.requested >= 1
    assert rig.ask(STOP)["type"] == "ok"
    assert not rig.stops.blocked


@pytest.mark.parametrize(
    ("given", "repeated"), [(b"7", 7), (b"9007199254740992", 2**53), (b"true", 0), (b"-1", 0)]
)
def test_the_reply_repeats_a_valid_id(rig: Rig, given: bytes, repeated: int) -> None:
    assert rig.ask(b'{"type":"stop","id":%s}' % given)["id"] == repeated
    assert rig.ask(b'{"type":"hello","id":%s}' % given)["id"] == repeated
    assert rig.ask(b"x", b'{"type":"stop","id":%s}' % given)["id"] == repeated


def test_a_stop_that_is_meant_for_another_server_is_refused(rig: Rig) -> None:
    reply = rig.ask(stop(id=3, instance="0123456789abcdef"))
    assert (reply["type"], reply["code"], reply["id"]) == ("error", "wrong_server", 3)
    assert INSTANCE in reply["message"]
    assert "hello" in reply["fix"]
    assert rig.stops.requested == 0


def test_broken_text_with_a_foreign_instance_stops(rig: Rig) -> None:
    assert rig.ask(stop(instance="other") + b"\0")["type"] == "ok"
    assert rig.stops.requested == 1
