"""The order of events on the stop socket: execution before the reply, floods, endless messages."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
import zmq

from skill_runtime.channel.stop_requests import BYTES, StopRequests
from skill_runtime.stop_listener.listener import (
    BLOCKED,
    FORGIVEN_FRAMES_HZ,
    FRAMES_PER_STEP,
    MAX_DROPPED_FRAMES,
    MAX_WAITING_REPLIES,
    StopListener,
    TooManyFramesError,
)

STOP = b'{"type":"stop","id":%d}'


class Frame(bytes):
    """A frame of a message; ``more`` if others follow."""

    more: bool

    @property
    def bytes(self) -> bytes:
        return bytes(self)


@dataclass
class Socket:
    """A socket whose messages the test defines."""

    frames: deque[Frame] = field(default_factory=deque[Frame])
    sent: list[list[bytes]] = field(default_factory=list[list[bytes]])
    received: int = 0
    fails: bool = False

    def add(self, *message: bytes) -> None:
        """Lets a message arrive."""
        for index, content in enumerate(message):
            frame = Frame(content)
            frame.more = index < len(message) - 1
            self.frames.append(frame)

    def recv(self, flags: int = 0, copy: bool = True) -> Any:  # noqa: ANN401  pyzmq
        assert flags == zmq.NOBLOCK
        if not self.frames:
            raise zmq.Again
        self.received += 1
        return self.frames.popleft()

    def send_multipart(self, msg_parts: Any, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq
        assert flags == zmq.NOBLOCK
        if self.fails:
            raise zmq.Again
        self.sent.append(msg_parts)

    def replies(self) -> list[tuple[bytes, str, int]]:
        """Returns receiver, type and id of the replies."""
        read = [(receiver, json.loads(reply)) for receiver, reply in self.sent]
        return [(receiver, reply["type"], reply["id"]) for receiver, reply in read]


class Rig:
    """A listener, and the controller's side of its memory."""

    def __init__(self) -> None:
        self.socket = Socket()
        self.stops = StopRequests(memoryview(bytearray(BYTES)))
        self.wakes = 0
        self.time_s = 0.0
        self.listener = StopListener(
            self.socket, self.stops, self._wake, lambda: self.time_s, "this"
        )

    def _wake(self) -> None:
        self.wakes += 1

    def execute(self, number: int) -> None:
        self.stops.executed = number
        self.listener.confirm()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_the_reply_waits_until_the_controller_has_stopped(rig: Rig) -> None:
    rig.socket.add(b"A", STOP % 1)
    rig.listener.step()
    assert (rig.stops.requested, rig.wakes, rig.socket.sent) == (1, 1, [])
    rig.listener.step()
    assert rig.socket.sent == []
    rig.execute(1)
    assert rig.socket.replies() == [(b"A", "ok", 1)]
    rig.execute(1)
    assert len(rig.socket.sent) == 1


def test_replies_go_to_their_senders_in_order_as_far_as_stops_are_executed(rig: Rig) -> None:
    for number, sender in enumerate((b"A", b"B", b"A"), 1):
        rig.socket.add(sender, STOP % number)
    rig.listener.step()
    assert rig.wakes == 1  # once for all
    rig.execute(2)
    assert rig.socket.replies() == [(b"A", "ok", 1), (b"B", "ok", 2)]
    rig.execute(3)
    assert rig.socket.replies()[2:] == [(b"A", "ok", 3)]


def test_a_client_that_is_gone_is_no_reason_to_fail(rig: Rig) -> None:
    rig.socket.fails = True
    rig.socket.add(b"A", STOP % 1)
    rig.socket.add(b"A", b'{"type":"hello"}')
    rig.listener.step()
    rig.execute(1)
    assert rig.stops.requested == 1


def test_a_step_reads_a_bounded_number_of_frames(rig: Rig) -> None:
    for number in range(1000):
        rig.socket.add(b"A", STOP % number)
    before = 0
    while rig.socket.frames:
        rig.listener.step()
        assert rig.socket.received - before <= FRAMES_PER_STEP
        before = rig.socket.received


def test_under_a_flood_the_arm_stays_stopped_and_no_stop_is_lost(rig: Rig) -> None:
    stops = 2 * FRAMES_PER_STEP  # with two frames each, four steps
    for number in range(stops):
        rig.socket.add(b"A", STOP % number)
    for _ in range(4):
        rig.listener.step()
        assert rig.stops.blocked
        assert rig.stops.reason == BLOCKED
    rig.listener.step()
    assert not rig.stops.blocked
    assert rig.stops.requested == stops + 4  # each step of the flood stops, too
    rig.execute(rig.stops.requested)
    assert [number for _, _, number in rig.socket.replies()] == list(range(stops))


def test_replies_that_wait_are_bounded_and_every_stop_is_executed(rig: Rig) -> None:
    for number in range(MAX_WAITING_REPLIES + 50):
        rig.socket.add(b"A", STOP % number)
        rig.listener.step()
    assert rig.stops.requested == MAX_WAITING_REPLIES + 50
    rig.execute(rig.stops.requested)
    assert len(rig.socket.sent) == MAX_WAITING_REPLIES


def test_a_long_message_stops_at_once_and_blocks_until_it_is_dropped(rig: Rig) -> None:
    rig.socket.add(b"A", *[b"x"] * (4 * FRAMES_PER_STEP))
    rig.socket.add(b"B", STOP % 2)
    for _ in range(4):
        rig.listener.step()
        assert rig.stops.requested > 0
        assert rig.stops.blocked
        rig.execute(rig.stops.requested)
        assert rig.socket.sent == []
    rig.listener.step()
    assert not rig.stops.blocked
    rig.execute(rig.stops.requested)
    assert rig.socket.replies() == [(b"A", "error", 0), (b"B", "ok", 2)]


def test_a_message_whose_end_has_not_arrived_blocks(rig: Rig) -> None:
    """Libzmq delivers whole messages, but another transport need not."""
    rig.socket.add(b"A", *[b"x"] * 20)
    rig.socket.frames[-1].more = True
    for _ in range(3):
        rig.listener.step()
        assert rig.stops.blocked
    rig.socket.add(b"end")
    rig.listener.step()
    assert not rig.stops.blocked


def test_a_message_without_end_ends_the_process_with_the_arm_stopped(rig: Rig) -> None:
    rig.socket.add(b"A", *[b"x"] * (MAX_DROPPED_FRAMES + 100))
    steps = MAX_DROPPED_FRAMES // FRAMES_PER_STEP
    for _ in range(steps):
        rig.listener.step()
        assert rig.stops.blocked
    with pytest.raises(TooManyFramesError):
        rig.listener.step()
    assert rig.stops.blocked
    assert rig.stops.requested > 0
    assert MAX_DROPPED_FRAMES < rig.socket.received < MAX_DROPPED_FRAMES + 20


def test_surplus_frames_of_several_messages_count_together_but_those_of_the_past_do_not(
    rig: Rig,
) -> None:
    def read_message() -> None:
        rig.socket.add(b"A", *[b"x"] * (MAX_DROPPED_FRAMES // 2))
        while rig.socket.frames:
            rig.listener.step()

    for _ in range(4):
        read_message()
        rig.time_s += MAX_DROPPED_FRAMES / FORGIVEN_FRAMES_HZ
    read_message()
    read_message()
    with pytest.raises(TooManyFramesError):
        read_message()
    assert rig.stops.blocked


def test_the_next_process_frees_a_socket_that_is_empty(rig: Rig) -> None:
    rig.stops.blocked = True  # as the last process has left it
    StopListener(Socket(), rig.stops, lambda: None, lambda: 0.0, "this").step()
    assert not rig.stops.blocked


def test_stops_of_an_earlier_process_are_not_answered(rig: Rig) -> None:
    rig.stops.request("of the process before")
    rig.socket.add(b"A", STOP % 1)
    rig.listener.step()
    rig.execute(1)
    assert rig.socket.sent == []
    rig.execute(2)
    assert rig.socket.replies() == [(b"A", "ok", 1)]
