"""Commands from the queue of the gateway, and the replies to them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skill_proto.messages import Clear, Error, Hold, Inbound, Message, Ok, Renew, Reset
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.refusal import Refusal
from skill_runtime.channel.channel import QUEUE_SLOTS, Channel
from skill_runtime.channel.messages import COMMANDS, REPLIES
from skill_runtime.realtime.clock import ManualClock
from skill_runtime.server.command_reader import MAX_COMMANDS_PER_READ, CommandReader

LATER = 1e9


class Rig:
    """A reader whose commands only take time, and the gateway's side of its queues."""

    def __init__(self) -> None:
        self.channel = Channel.in_process()
        self.authority = Authority()
        self.clock = ManualClock(10.0)
        self.takes_s = 0.0
        self.handled: list[Inbound] = []
        self.fails: Callable[[Inbound], Exception | None] = lambda _: None
        self.reader = CommandReader(self.channel, self.authority, self._handle, self.clock)

    def _handle(self, message: Inbound, now: float) -> Message:
        self.handled.append(message)
        self.clock.time_s += self.takes_s
        error = self.fails(message)
        if error is not None:
            raise error
        return Ok(time=now)

    def put(self, message: Inbound, request: int = 1) -> None:
        assert self.channel.commands.put(COMMANDS.encode(message, request))

    @property
    def counters(self) -> dict[str, int]:
        return dict(self.authority.events.counters)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_commands_are_executed_in_their_order_and_answered_by_number(rig: Rig) -> None:
    hold = Hold(lease="x", seq=3, reference_time=1.5)
    rig.put(Renew(lease="x"), 17)
    rig.put(hold, 2**63)
    replies = rig.reader.read(LATER)
    assert rig.handled == [Renew(lease="x"), hold]
    assert replies == [(17, Ok(time=10.0)), (2**63, Ok(time=10.0))]
    assert rig.reader.read(LATER) == []
    assert rig.channel.replies.get() is None  # not before the state is written
    rig.reader.reply(replies)
    records = [rig.channel.replies.get(), rig.channel.replies.get()]
    assert [REPLIES.decode(record) for record in records if record is not None] == replies


def test_a_refusal_is_a_reply_and_is_counted(rig: Rig) -> None:
    rig.fails = lambda _: Refusal("stale", "too old", "send a new one")
    rig.put(Clear())
    ((number, reply),) = rig.reader.read(LATER)
    assert number == 1
    assert reply == Error(time=10.0, code="stale", message="too old", fix="send a new one")
    assert rig.counters == {"rejected.stale": 1}
    assert rig.authority.events.last_event == "refused: too old"


def test_an_internal_error_is_a_reply_and_a_fault(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.fails = lambda message: ZeroDivisionError("a bug") if message == Clear() else None
    rig.put(Clear())
    rig.put(Renew(lease="x"), 2)
    (_, reply), (_, other) = rig.reader.read(LATER)
    assert isinstance(reply, Error)
    assert reply.code == "internal"
    assert "a bug" in reply.message
    assert isinstance(other, Ok)
    assert rig.authority.mode == "fault"
    assert rig.authority.fault_class == "internal"
    assert "ZeroDivisionError" in caplog.text


def test_one_call_executes_a_bounded_number(rig: Rig) -> None:
    for number in range(QUEUE_SLOTS):
        rig.put(Clear(), number)
    for start in range(0, QUEUE_SLOTS, MAX_COMMANDS_PER_READ):
        numbers = [number for number, _ in rig.reader.read(LATER)]
        assert numbers == list(range(start, start + MAX_COMMANDS_PER_READ))
    assert rig.reader.read(LATER) == []


def test_one_call_ends_with_its_time_and_executes_one_command_at_least(rig: Rig) -> None:
    """Commands of a quarter of a second from 10.0 s on."""
    rig.takes_s = 0.25
    for _ in range(8):
        rig.put(Clear())
    assert len(rig.reader.read(until=10.5)) == 2
    assert len(rig.reader.read(until=10.6)) == 1
    assert len(rig.reader.read(until=10.6)) == 1
    assert len(rig.reader.read(until=0.0)) == 1
    assert len(rig.reader.read(until=LATER)) == 3


@pytest.mark.parametrize("garbage", [b"", b"\xff" * 40, b"{}", bytes(10_240)])
def test_garbage_of_the_gateway_is_counted_and_dropped(
    rig: Rig, caplog: pytest.LogCaptureFixture, garbage: bytes
) -> None:
    rig.channel.commands.put(garbage)
    rig.put(Clear(), 9)
    assert rig.reader.read(LATER) == [(9, Ok(time=10.0))]
    assert rig.counters == {"invalid_records": 1}
    assert rig.authority.mode == "hold"
    assert "a record of the gateway is dropped" in caplog.text


def test_a_queue_of_garbage_costs_no_more_than_one_of_commands(rig: Rig) -> None:
    for _ in range(QUEUE_SLOTS):
        rig.channel.commands.put(b"\xff" * 40)
    rig.reader.read(LATER)
    assert rig.counters == {"invalid_records": MAX_COMMANDS_PER_READ}


def test_a_damaged_record_and_impossible_counts_are_counted(rig: Rig) -> None:
    rig.put(Reset(lease="x", seq=1, reference_time=0.0))
    rig.channel.commands._records[0][3] ^= 1
    assert rig.reader.read(LATER) == []
    rig.channel.commands._counts[0] = 2**64 - 1
    assert rig.reader.read(LATER) == []
    assert rig.counters == {"invalid_records": 2}
    rig.put(Clear(), 5)
    assert rig.reader.read(LATER) == [(5, Ok(time=10.0))]


def test_replies_that_no_gateway_reads_are_dropped_and_counted(rig: Rig) -> None:
    for number in range(QUEUE_SLOTS + 3):
        rig.reader.reply([(number, Ok(time=0.0))])
    assert rig.counters == {"lost_replies": 3}
    assert rig.channel.replies.get() == REPLIES.encode(Ok(time=0.0), 0)
    rig.reader.reply([(99, Ok(time=0.0))])
    assert rig.counters == {"lost_replies": 3}
