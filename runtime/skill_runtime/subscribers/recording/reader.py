"""Reads recordings, also one that was cut off by a full disk or a killed recorder."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard
from mcap.exceptions import McapError
from mcap.records import Channel, Footer, McapRecord, Message, Metadata
from mcap.stream_reader import CRCValidationError, StreamReader

from skill_proto.messages import RECORD, TELEMETRY, Commanded, PolicyStep, Telemetry, Welcome
from skill_runtime.subscribers.recording.recording_file import (
    CHANNELS,
    SERVER_METADATA,
    TELEMETRY_CHANNEL,
)

_DAMAGE = (McapError, CRCValidationError, zstandard.ZstdError, struct.error, ValueError)

MAX_RECORD_BYTES = 64 * 2**20
"""A longer record is damage."""


class RecordingError(Exception):
    """A file is no recording; the text gives the reason and the fix."""


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
        cut_off: Files read so far that do not end with an index: the recorder did not end them.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.welcomes: dict[str, Welcome] = {}
        self.cut_off: list[Path] = []

    def messages(self, channels: Sequence[str] = CHANNELS) -> Iterator[Recorded]:
        """Yields the messages of these channels in the order of their arrival.

        Raises:
            RecordingError: A file is no recording.
        """
        for path in self._paths:
            yield from self._messages(path, channels)

    def _messages(self, path: Path, channels: Sequence[str]) -> Iterator[Recorded]:
        names: dict[int, str] = {}
        is_complete = False
        for record in _records(path):
            if isinstance(record, Channel):
                names[record.id] = record.topic
            elif isinstance(record, Message):
                name = names.get(record.channel_id, "")
                if name in channels:
                    yield Recorded(name, record.log_time, record.data)
            elif isinstance(record, Metadata) and record.name == SERVER_METADATA:
                self._note(record.metadata.get("welcome", ""))
            is_complete = is_complete or isinstance(record, Footer)
        if not is_complete:
            self.cut_off.append(path)

    def _note(self, welcome: str) -> None:
        # A newer server may describe more than this version knows.
        fields: dict[str, object] = json.loads(welcome)
        found = Welcome.model_validate(fields)
        self.welcomes[found.instance] = found


def _records(path: Path) -> Iterator[McapRecord]:
    """Yields the whole records of a file, up to damage.

    Raises:
        RecordingError: The file is not MCAP, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            records = StreamReader(
                file, validate_crcs=True, record_size_limit=MAX_RECORD_BYTES
            ).records
            count = 0
            try:
                for record in records:
                    count += 1
                    yield record
            except _DAMAGE:
                if not count:
                    raise RecordingError(
                        f"{path} is no recording: it does not begin as an MCAP file; give a file "
                        "that skill-record wrote"
                    ) from None
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}") from None
