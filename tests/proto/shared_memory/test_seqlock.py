"""The newest record of one writer, also with interference at every step."""

from __future__ import annotations

import os
from zlib import crc32

import pytest
from tests.support.children import sharing

from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_proto.shared_memory.seqlock import ATTEMPTS, HEADER_BYTES, Seqlock

LONGEST = 64


@pytest.fixture
def memory() -> memoryview:
    return memoryview(bytearray(HEADER_BYTES + LONGEST))


def words(memory: memoryview) -> memoryview:
    """Returns version and header of a lock."""
    return memory[:HEADER_BYTES].cast("Q")


def test_without_a_write_there_is_no_record(memory: memoryview) -> None:
    lock = Seqlock(memory)
    assert lock.read() is None
    assert lock.version == 0


@pytest.mark.parametrize("record", [b"", b"a", bytes(range(LONGEST))])
def test_every_reader_gets_the_newest_record(memory: memoryview, record: bytes) -> None:
    lock, other = Seqlock(memory), Seqlock(memory)
    lock.write(b"an older and longer record")
    lock.write(record)
    assert lock.read() == other.read() == other.read() == record


def test_the_version_rises_by_two_with_every_write(memory: memoryview) -> None:
    lock = Seqlock(memory)
    for version in (2, 4, 6):
        lock.write(b"the same")
        assert lock.version == version


def test_a_record_that_is_too_long_leaves_the_old_one(memory: memoryview) -> None:
    lock = Seqlock(memory)
    lock.write(b"old")
    with pytest.raises(ValueError, match="the record has 65 bytes, the memory 64"):
        lock.write(bytes(LONGEST + 1))
    assert lock.read() == b"old"


def test_a_record_in_work_is_not_read(memory: memoryview) -> None:
    lock = Seqlock(memory)
    lock.write(b"old")
    words(memory)[0] += 1
    assert lock.read() is None


def test_a_new_writer_goes_on_after_one_that_died_during_a_write(memory: memoryview) -> None:
    Seqlock(memory).write(b"old")
    words(memory)[0] += 1
    memory[HEADER_BYTES : HEADER_BYTES + 2] = b"ne"  # the process ends here
    assert Seqlock(memory).read() is None
    Seqlock(memory).write(b"newer")
    assert Seqlock(memory).read() == b"newer"
    assert Seqlock(memory).version == 4


@pytest.mark.parametrize("change", ["byte", "length", "checksum"])
def test_a_record_with_a_wrong_checksum_is_not_read(memory: memoryview, change: str) -> None:
    lock = Seqlock(memory)
    lock.write(b"record")
    if change == "byte":
        memory[HEADER_BYTES + 3] ^= 1
    elif change == "length":
        words(memory)[1] = (len(b"record") - 1) << 32 | crc32(b"record")
    else:
        words(memory)[1] ^= 1
    assert lock.read() is None
    lock.write(b"again")
    assert lock.read() == b"again"


def test_a_length_beyond_the_memory_is_not_read(memory: memoryview) -> None:
    lock = Seqlock(memory)
    lock.write(b"record")
    words(memory)[1] = (2**32 - 1) << 32
    assert lock.read() is None


def test_a_reader_does_not_wait_for_a_writer_that_writes_all_the_time() -> None:
    class Busy(Seqlock):
        """A lock whose version changes with every look at it."""

        looks = 0

        def __init__(self, memory: memoryview) -> None:
            super().__init__(memory)
            self._words = self  # type: ignore[assignment]

        def __getitem__(self, index: int) -> int:
            self.looks += index == 0
            return 2 * self.looks

    lock = Busy(memoryview(bytearray(HEADER_BYTES + LONGEST)))
    assert lock.read() is None
    assert lock.looks == 2 * ATTEMPTS


WRITER = """
from skill_proto.shared_memory.seqlock import Seqlock
lock = Seqlock(memory)
for number in range(1, 20_001):
    lock.write(number.to_bytes(4, "little") * (1 + number % 1000))
"""


def test_a_reader_beside_a_writer_in_another_process_gets_whole_records_in_order() -> None:
    descriptor = create_memory(HEADER_BYTES + 4000)
    lock, numbers = Seqlock(map_memory(descriptor)), [0]
    with sharing(WRITER, descriptor) as writer:
        os.close(descriptor)
        while writer.poll() is None:
            record = lock.read()
            if record is not None:
                number = int.from_bytes(record[:4], "little")
                assert record == number.to_bytes(4, "little") * (1 + number % 1000)
                assert number >= numbers[-1]
                numbers.append(number)
    last = lock.read()
    assert last is not None
    assert int.from_bytes(last[:4], "little") == 20_000
    assert len(set(numbers)) > 2
