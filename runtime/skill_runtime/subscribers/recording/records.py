"""Reads the records of an MCAP file. The file may be cut off or damaged."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard
from mcap.exceptions import McapError
from mcap.records import McapRecord
from mcap.stream_reader import CRCValidationError, StreamReader
from mcap.writer import MCAP0_MAGIC

from skill_runtime.subscribers.recording.recording_file import CHUNK_BYTES

_DAMAGE = (
    *(McapError, CRCValidationError, zstandard.ZstdError, struct.error, ValueError),
    *(OverflowError, MemoryError),  # a damaged length
)

MAX_RECORD_BYTES = 64 * 2**20
"""A longer record is damage."""

MAX_CUT_BYTES = 2 * CHUNK_BYTES
"""Longest part of a chunk at the end of a file whose recorder was killed [bytes]."""

_RECORD_HEAD = struct.Struct("<BQ")
"""Kind and length of a record."""

_GIVE = "give a file that skill-record wrote"


class RecordingError(Exception):
    """A file is no recording; the text gives the reason and the fix."""


class EndedEarlyError(Exception):
    """A file does not end with an index.

    Args:
        offset: Bytes that were read.
        is_cut: Whether the file ends there, but for a part of a record; otherwise it is damaged.
    """

    def __init__(self, offset: int, *, is_cut: bool) -> None:
        super().__init__(offset)
        self.offset = offset
        self.is_cut = is_cut


def read_records(path: Path, *, whole_chunks: bool = False) -> Iterator[McapRecord]:
    """Yields the records of a file, up to its end or to damage.

    Args:
        path: The file.
        whole_chunks: Whether to yield chunks instead of the messages in them.

    Raises:
        RecordingError: The file is not MCAP, or cannot be read.
        EndedEarlyError: The file does not end with an index.
    """
    try:
        with path.open("rb") as file:
            reader = StreamReader(
                file,
                emit_chunks=whole_chunks,
                validate_crcs=True,
                record_size_limit=MAX_RECORD_BYTES,
            )
            read_bytes = 0
            try:
                for record in reader.records:
                    read_bytes = file.tell()
                    yield record
            except _DAMAGE:
                if not read_bytes:
                    raise RecordingError(f"{path} is no recording: {_beginning(file)}") from None
                raise _end(file, read_bytes) from None
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}; {_GIVE}") from None


def _beginning(file: BinaryIO) -> str:
    """Returns why not one record of a file can be read, and the fix."""
    file.seek(0)
    begin = file.read(len(MCAP0_MAGIC) + _RECORD_HEAD.size)
    if not begin:
        return f"it is empty; {_GIVE}"
    if not begin.startswith(MCAP0_MAGIC[: len(begin)]):
        return f"it does not begin as an MCAP file; {_GIVE}"
    size = file.seek(0, os.SEEK_END)
    if size < len(MCAP0_MAGIC) + _RECORD_HEAD.size:
        return (
            f"it ends after {size} bytes, before its first record: its recorder was killed, or a "
            f"copy was cut short; {_GIVE}"
        )
    return (
        f"it begins as an MCAP file, but its first record, at byte {len(MCAP0_MAGIC)}, is damaged; "
        "copy it again from where it was recorded"
    )


def _end(file: BinaryIO, read_bytes: int) -> EndedEarlyError:
    """Returns how a file ended of whose content so many bytes were read.

    Without its recorder a file ends within a record, which is shorter than a chunk. A longer rest,
    or the end of a closed file, shows that the length of that record is damaged.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(-len(MCAP0_MAGIC), os.SEEK_END)
    is_closed = file.read() == MCAP0_MAGIC
    last = _last_record(file, size)
    is_cut = not is_closed and last <= read_bytes and size - last <= MAX_CUT_BYTES
    return EndedEarlyError(min(last, read_bytes), is_cut=is_cut)


def _last_record(file: BinaryIO, size: int) -> int:
    """Returns the offset of the first record that is longer than the file, or else its end."""
    offset = len(MCAP0_MAGIC)
    while True:
        file.seek(offset)
        head = file.read(_RECORD_HEAD.size)
        if len(head) < _RECORD_HEAD.size:
            return offset
        end = offset + len(head) + _RECORD_HEAD.unpack(head)[1]
        if end > size:
            return offset
        offset = end
