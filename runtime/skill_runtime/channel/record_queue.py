"""A bounded queue of records in shared memory, with one writer and one reader.

A ring buffer after Lamport (1983, "Specifying concurrent program modules"): only the writer changes
the number of records written, and only the reader the number read, so no lock is needed.
"""

from __future__ import annotations

from zlib import crc32

HEADER_BYTES = 128
"""Two counts, a cache line apart."""

SLOT_HEADER_BYTES = 8
"""Length and checksum of a record."""

_WRITTEN, _READ = 0, 8
_MAX_COUNT = 2**64 - 1


class CorruptRecordError(Exception):
    """The reader found bytes that are no record; the text says which."""


class RecordQueue:
    """A queue in shared memory.

    Args:
        memory: Shared memory; its length determines the number of slots, which is a power of two.
        slot_bytes: Longest record [bytes], a multiple of 8.
    """

    def __init__(self, memory: memoryview, slot_bytes: int) -> None:
        stride = slot_bytes + SLOT_HEADER_BYTES
        self._counts = memory[:HEADER_BYTES].cast("Q")
        self.slots = (len(memory) - HEADER_BYTES) // stride
        starts = [HEADER_BYTES + slot * stride for slot in range(self.slots)]
        self._headers = [memory[start : start + SLOT_HEADER_BYTES].cast("Q") for start in starts]
        self._records = [memory[start + SLOT_HEADER_BYTES : start + stride] for start in starts]
        self._slot_bytes = slot_bytes

    def __len__(self) -> int:
        """Returns the number of records that wait; impossible counts are a full queue."""
        return min(self._counts[_WRITTEN] - self._counts[_READ] & _MAX_COUNT, self.slots)

    def put(self, record: bytes) -> bool:
        """Appends a record; returns False if the queue is full.

        Raises:
            ValueError: The record is longer than a slot.
        """
        if len(record) > self._slot_bytes:
            raise ValueError(f"the record has {len(record)} bytes, a slot {self._slot_bytes}")
        written = self._counts[_WRITTEN]
        if len(self) == self.slots:
            return False
        slot = written % self.slots
        self._records[slot][: len(record)] = record
        self._headers[slot][0] = len(record) << 32 | crc32(record)
        self._counts[_WRITTEN] = written + 1 & _MAX_COUNT
        return True

    def get(self) -> bytes | None:
        """Removes and returns the oldest record; None if the queue is empty.

        Raises:
            CorruptRecordError: The record is damaged. It is dropped, and the next call goes on.
        """
        written, read = self._counts[_WRITTEN], self._counts[_READ]
        if written == read:
            return None
        if (waiting := written - read & _MAX_COUNT) > self.slots:
            self._counts[_READ] = written
            raise CorruptRecordError(f"the queue claims {waiting} records; all are dropped")
        slot = read % self.slots
        header = self._headers[slot][0]
        length = header >> 32
        record = bytes(self._records[slot][:length])
        self._counts[_READ] = read + 1 & _MAX_COUNT
        if length > self._slot_bytes or crc32(record) != header & 0xFFFFFFFF:
            raise CorruptRecordError(f"a record of {length} bytes has a wrong checksum")
        return record

    def discard(self) -> None:
        """Drops the waiting records; only the reader may call it."""
        self._counts[_READ] = self._counts[_WRITTEN]
