"""The newest record of one writer; reading never delays the writer.

A sequence lock: the version is odd during a write, and a reader that sees it change reads again
(Lameter 2005, "Effective synchronization on Linux/NUMA systems"). A checksum detects a mixture on
processors that reorder stores.
"""

from __future__ import annotations

from zlib import crc32

HEADER_BYTES = 16
"""Version, then length and checksum."""

ATTEMPTS = 8
"""A reader that meets this many writes in a row returns without a record."""


class Seqlock:
    """One record of bounded length with one writer and any number of readers.

    Args:
        memory: Shared memory for the header and the longest record.
    """

    def __init__(self, memory: memoryview) -> None:
        self._words = memory[:HEADER_BYTES].cast("Q")
        self._data = memory[HEADER_BYTES:]

    @property
    def version(self) -> int:
        """Changes with every write; 0 before the first."""
        return self._words[0]

    def write(self, record: bytes) -> None:
        """Replaces the record.

        Raises:
            ValueError: The record is longer than the memory.
        """
        if len(record) > len(self._data):
            raise ValueError(f"the record has {len(record)} bytes, the memory {len(self._data)}")
        odd = self._words[0] | 1  # already odd if an earlier writer died during a write
        self._words[0] = odd
        self._words[1] = len(record) << 32 | crc32(record)
        self._data[: len(record)] = record
        self._words[0] = odd + 1

    def read(self) -> bytes | None:
        """Returns the record; None if there is none, or if the writer has interfered each time."""
        for _ in range(ATTEMPTS):
            version, header = self._words[0], self._words[1]
            if version & 1 or version == 0:
                continue
            record = bytes(self._data[: header >> 32])
            if self._words[0] == version and crc32(record) == header & 0xFFFFFFFF:
                return record
        return None
