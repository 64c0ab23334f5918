"""A bounded queue of one writer and one reader, and damage to its memory."""

from __future__ import annotations

import os
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.children import sharing

from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_runtime.channel.record_queue import (
    HEADER_BYTES,
    SLOT_HEADER_BYTES,
    CorruptRecordError,
    RecordQueue,
)

SLOT = 16
SLOTS = 4
BYTES = HEADER_BYTES + SLOTS * (SLOT + SLOT_HEADER_BYTES)


@pytest.fixture
def memory() -> memoryview:
    return memoryview(bytearray(BYTES))


def counts(memory: memoryview) -> memoryview:
    """Returns the words of the header: records written at 0, read at 8."""
    return memory[:HEADER_BYTES].cast("Q")


def test_an_empty_queue_has_no_record(memory: memoryview) -> None:
    queue = RecordQueue(memory, SLOT)
    assert queue.slots == SLOTS
    assert len(queue) == 0
    assert queue.get() is None


def test_records_come_out_in_their_order_however_long(memory: memoryview) -> None:
    writer, reader = RecordQueue(memory, SLOT), RecordQueue(memory, SLOT)
    records = [b"", b"a", bytes(range(SLOT))]
    assert [writer.put(record) for record in records] == [True] * 3
    assert len(reader) == 3
    assert [reader.get() for _ in range(4)] == [*records, None]


def test_a_full_queue_takes_no_record_and_keeps_the_others(memory: memoryview) -> None:
    queue = RecordQueue(memory, SLOT)
    assert [queue.put(bytes([n])) for n in range(5)] == [True, True, True, True, False]
    assert queue.get() == b"\0"
    assert queue.put(b"new")
    assert [queue.get() for _ in range(5)] == [b"\1", b"\2", b"\3", b"new", None]


def test_a_record_longer_than_a_slot_is_refused(memory: memoryview) -> None:
    queue = RecordQueue(memory, SLOT)
    with pytest.raises(ValueError, match="the record has 17 bytes, a slot 16"):
        queue.put(bytes(SLOT + 1))
    assert queue.get() is None


@given(st.lists(st.one_of(st.none(), st.binary(max_size=SLOT)), max_size=40))
def test_it_is_a_queue_of_bounded_length(steps: list[bytes | None]) -> None:
    """Each step puts a record, or gets one (None); a deque is the model."""
    queue, model = RecordQueue(memoryview(bytearray(BYTES)), SLOT), deque[bytes]()
    for record in steps:
        if record is None:
            assert queue.get() == (model.popleft() if model else None)
        else:
            assert queue.put(record) == (len(model) < SLOTS)
            if len(model) < SLOTS:
                model.append(record)
        assert len(queue) == len(model)


def test_the_reader_may_drop_what_waits(memory: memoryview) -> None:
    queue = RecordQueue(memory, SLOT)
    queue.put(b"old")
    queue.discard()
    assert queue.get() is None
    queue.put(b"new")
    assert queue.get() == b"new"


@pytest.mark.parametrize("change", ["content", "checksum", "length", "huge length"])
def test_a_damaged_record_is_dropped_and_the_next_one_is_read(
    memory: memoryview, change: str
) -> None:
    queue = RecordQueue(memory, SLOT)
    queue.put(b"first")
    queue.put(b"second")
    header = memory[HEADER_BYTES : HEADER_BYTES + SLOT_HEADER_BYTES].cast("Q")
    if change == "content":
        memory[HEADER_BYTES + SLOT_HEADER_BYTES] ^= 1
    elif change == "checksum":
        header[0] ^= 1
    else:
        header[0] ^= (1 if change == "length" else 2**31) << 32
    with pytest.raises(CorruptRecordError, match="wrong checksum"):
        queue.get()
    assert queue.get() == b"second"


def test_the_counts_wrap_around(memory: memoryview) -> None:
    queue = RecordQueue(memory, SLOT)
    counts(memory)[0] = counts(memory)[8] = 2**64 - 2
    for n in range(3 * SLOTS):
        assert queue.put(bytes([n]))
        assert queue.put(bytes([n, n]))
        assert len(queue) == 2
        assert (queue.get(), queue.get()) == (bytes([n]), bytes([n, n]))
    assert queue.get() is None


@pytest.mark.parametrize("written", [SLOTS + 1, 1000, 2**63, 2**64 - 1])
def test_an_impossible_count_of_the_writer_drops_all_records(
    memory: memoryview, written: int
) -> None:
    queue = RecordQueue(memory, SLOT)
    counts(memory)[0] = written
    assert not queue.put(b"x")
    with pytest.raises(CorruptRecordError, match="all are dropped"):
        queue.get()
    assert len(queue) == 0
    for n in range(2 * SLOTS):
        assert queue.put(bytes([n]))
        assert queue.get() == bytes([n])


@pytest.mark.parametrize("read", [1, 1000, 2**64 - SLOTS - 1])
def test_an_impossible_count_of_the_reader_is_repaired_by_it(memory: memoryview, read: int) -> None:
    queue = RecordQueue(memory, SLOT)
    counts(memory)[8] = read
    assert not queue.put(b"x")
    with pytest.raises(CorruptRecordError, match="all are dropped"):
        queue.get()
    assert queue.put(b"x")
    assert queue.get() == b"x"


WRITER = """
from skill_runtime.channel.record_queue import RecordQueue
queue = RecordQueue(memory, 64)
for number in range(5000):
    while not queue.put(number.to_bytes(4, "little") * (number % 17)):
        pass
"""


def test_two_processes_lose_no_record_and_keep_the_order() -> None:
    descriptor = create_memory(HEADER_BYTES + 8 * (64 + SLOT_HEADER_BYTES))
    queue, received = RecordQueue(map_memory(descriptor), 64), list[bytes]()
    with sharing(WRITER, descriptor) as writer:
        os.close(descriptor)
        while writer.poll() is None or len(queue):
            record = queue.get()
            if record is not None:
                received.append(record)
    assert received == [number.to_bytes(4, "little") * (number % 17) for number in range(5000)]
