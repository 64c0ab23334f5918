"""The shared memory as a whole: its parts do not overlap, and it ends with its processes."""

from __future__ import annotations

import os
from typing import get_args

import pytest
from tests.support.children import sharing

from skill_proto.messages import ErrorCode
from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_proto.shared_memory.seqlock import HEADER_BYTES
from skill_runtime.channel import channel as layout
from skill_runtime.channel import stop_requests
from skill_runtime.channel.channel import CHANNEL_BYTES, Channel, Word
from skill_runtime.channel.stop_requests import StopRequests

STATE_RECORD_BYTES = layout.STATE_BYTES - HEADER_BYTES


def fill(channel: Channel) -> None:
    """Writes as much as fits into every part."""
    for index in range(len(channel.words)):
        channel.words[index] = 2**64 - 1 - index
    channel.state.write(b"\x11" * STATE_RECORD_BYTES)
    while channel.commands.put(b"\x22" * layout.COMMAND_BYTES):
        pass
    while channel.replies.put(b"\x33" * layout.REPLY_BYTES):
        pass
    channel.stops.request("\x44" * stop_requests.MAX_REASON_BYTES)
    channel.stops.beat(2**64 - 1, 2**31)
    channel.stops.blocked = True
    channel.stops.executed = 7


def check(channel: Channel) -> None:
    """Fails if a part has changed since :func:`fill`."""
    assert list(channel.words) == [2**64 - 1 - index for index in range(len(channel.words))]
    assert channel.state.read() == b"\x11" * STATE_RECORD_BYTES
    commands = [channel.commands.get() for _ in range(layout.QUEUE_SLOTS + 1)]
    assert commands == [b"\x22" * layout.COMMAND_BYTES] * layout.QUEUE_SLOTS + [None]
    replies = [channel.replies.get() for _ in range(layout.QUEUE_SLOTS + 1)]
    assert replies == [b"\x33" * layout.REPLY_BYTES] * layout.QUEUE_SLOTS + [None]
    stops = channel.stops
    assert (stops.requested, stops.executed, stops.blocked) == (1, 7, True)
    assert (stops.reason, stops.beat_ns, stops.pid) == ("\x44" * 1024, 2**64 - 1, 2**31)


def test_no_part_overlaps_another() -> None:
    channel = Channel.in_process()
    fill(channel)
    check(channel)


def test_the_stop_listener_finds_its_part_without_the_channel() -> None:
    memory = memoryview(bytearray(CHANNEL_BYTES))
    StopRequests(memory[stop_requests.OFFSET :]).request("from the listener")
    assert Channel(memory).stops.reason == "from the listener"


def test_there_is_a_word_for_the_refusals_of_each_code() -> None:
    channel = Channel.in_process()
    assert get_args(ErrorCode) == layout.ERROR_CODES
    assert len(channel.words) >= Word.REJECTED + len(layout.ERROR_CODES)
    assert max(Word) == Word.REJECTED


def test_refusals_are_counted_by_code() -> None:
    channel = Channel.in_process()
    assert channel.refusals() == {}
    for code in ("internal", "malformed", "internal", "no such code"):
        channel.count_refusal(code)
    assert channel.refusals() == {"rejected.malformed": 1, "rejected.internal": 2}


def test_the_end_of_the_server_is_a_word() -> None:
    channel = Channel.in_process()
    assert not channel.ending
    channel.words[Word.ENDING] = 1
    assert channel.ending


FILLER = """
from tests.runtime.channel.test_channel import check, fill
from skill_runtime.channel.channel import Channel
fill(Channel(memory))
"""


def test_another_process_sees_the_same_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    descriptor = create_memory(CHANNEL_BYTES)
    assert os.fstat(descriptor).st_size == CHANNEL_BYTES
    assert not os.get_inheritable(descriptor)
    channel = Channel(map_memory(descriptor))
    with sharing(FILLER, descriptor):
        os.close(descriptor)  # the memory stays
    check(channel)


def test_a_system_without_memfd_takes_a_file_without_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    descriptor = create_memory(4096)
    memory, other = map_memory(descriptor), map_memory(descriptor)
    assert os.fstat(descriptor).st_nlink == 0
    os.close(descriptor)
    assert bytes(memory) == bytes(4096)
    memory[4095] = 7
    assert other[4095] == 7
