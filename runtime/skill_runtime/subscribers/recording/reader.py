"""Reads recordings, also one that a full disk or a killed recorder cut off, or that is damaged."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard
from mcap.exceptions import McapError
from mcap.records import Channel, McapRecord, Message, Metadata
from mcap.stream_reader import CRCValidationError, StreamReader
from mcap.writer import MCAP0_MAGIC

from skill_proto.messages import RECORD, TELEMETRY, Commanded, PolicyStep, Telemetry, Welcome
from skill_runtime.subscribers.recording.recording_file import (
    CHANNELS,
    CHUNK_BYTES,
    SERVER_METADATA,
    TELEMETRY_CHANNEL,
)

_DAMAGE = (McapError, CRCValidationError, zstandard.ZstdError, struct.error, ValueError)

MAX_RECORD_BYTES = 64 * 2**20
"""A longer record is damage."""

MAX_CUT_BYTES = 2 * CHUNK_BYTES
"""Longest part of a chunk at the end of a file whose recorder was killed [bytes]."""

_RECORD_HEAD = struct.Struct("<BQ")
"""Kind and length of a record."""


class RecordingError(Exception):
    """A file is no recording; the text gives the reason and the fix."""


class _EndedEarlyError(Exception):
    """A file does not end with an index.

    Args:
        offset: Bytes that were read.
        is_cut: Whether the file ends there, but for a part of a record; otherwise it is damaged.
    """

    def __init__(self, offset: int, *, is_cut: bool) -> None:
        super().__init__(offset)
        self.offset = offset
        self.is_cut = is_cut


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message of a recording."""

    channel: str
    log_ns: int
    """Time of its arrival [ns since 1970]."""
    data: bytes
    """The JSON."""

    def parse(self) -> Telemetry | PolicyStep | Commanded:
        """Returns the message."""
        kind = TELEMETRY if self.channel == TELEMETRY_CHANNEL else RECORD
        return kind.validate_json(self.data)


class Recording:
    """The messages of files that follow each other.

    Args:
        paths: The files in their order.

    Attributes:
        welcomes: Descriptions of the servers read so far, by instance.
        cut_off: Files read so far that end within a record: the recorder did not end them.
        damaged: Files read so far that are damaged, and the offset of the damage [bytes]. The rest
            of such a file is not read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.welcomes: dict[str, Welcome] = {}
        self.cut_off: list[Path] = []
        self.damaged: dict[Path, int] = {}

    def read_welcomes(self) -> None:
        """Reads the descriptions of all servers: one may follow the first messages of its server.

        Raises:
            RecordingError: A file is no recording.
        """
        for path in self._paths:
            with suppress(_EndedEarlyError):
                for record in _records(path, whole_chunks=True):
                    self._note(path, record)

    def faults(self) -> list[str]:
        """Returns a line for each file read so far that has not all of its recording."""
        lines = [
            f"{path} was not closed by its recorder; all but its last second was read"
            for path in self.cut_off
        ]
        for path, offset in self.damaged.items():
            percent = 100.0 * offset / path.stat().st_size
            lines.append(
                f"{path} is damaged at byte {offset}; only the first {percent:.0f} % of it was read"
            )
        return lines

    def messages(self, channels: Sequence[str] = CHANNELS) -> Iterator[Recorded]:
        """Yields the messages of these channels in the order of their arrival.

        Raises:
            RecordingError: A file is no recording.
        """
        for path in self._paths:
            yield from self._messages(path, channels)

    def _messages(self, path: Path, channels: Sequence[str]) -> Iterator[Recorded]:
        names: dict[int, str] = {}
        try:
            for record in _records(path):
                if isinstance(record, Channel):
                    names[record.id] = record.topic
                elif isinstance(record, Message):
                    name = names.get(record.channel_id, "")
                    if name in channels:
                        yield Recorded(name, record.log_time, record.data)
                else:
                    self._note(path, record)
        except _EndedEarlyError as end:
            if end.is_cut:
                self.cut_off.append(path)
            else:
                self.damaged[path] = end.offset

    def _note(self, path: Path, record: McapRecord) -> None:
        """Notes the description of a server, if the record is one."""
        if not (isinstance(record, Metadata) and record.name == SERVER_METADATA):
            return
        try:  # a newer server may describe more than this version knows
            fields: dict[str, object] = json.loads(record.metadata.get("welcome", ""))
            found = Welcome.model_validate(fields)
        except ValueError:
            raise RecordingError(
                f"the description of the server in {path} cannot be read; the file is damaged, or "
                "from a newer version of skill-record"
            ) from None
        self.welcomes[found.instance] = found


def _records(path: Path, *, whole_chunks: bool = False) -> Iterator[McapRecord]:
    """Yields the records of a file, up to its end or to damage.

    Args:
        path: The file.
        whole_chunks: Whether to yield chunks instead of the messages in them.

    Raises:
        RecordingError: The file is not MCAP, or cannot be read.
        _EndedEarlyError: The file does not end with an index.
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
                    raise RecordingError(
                        f"{path} is no recording: it does not begin as an MCAP file; give a file "
                        "that skill-record wrote"
                    ) from None
                raise _end(file, read_bytes) from None
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}") from None


def _end(file: BinaryIO, read_bytes: int) -> _EndedEarlyError:
    """Returns how a file ended of whose content so many bytes were read.

    Without its recorder a file ends within a record, which is shorter than a chunk. A longer rest,
    or the end of a closed file, shows that the length of that record is damaged.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(-len(MCAP0_MAGIC), os.SEEK_END)
    is_closed = file.read() == MCAP0_MAGIC
    last = _last_record(file, size)
    is_cut = not is_closed and last <= read_bytes and size - last <= MAX_CUT_BYTES
    return _EndedEarlyError(min(last, read_bytes), is_cut=is_cut)


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
