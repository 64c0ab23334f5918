"""Reads recordings, also one that a full disk or a killed recorder cut off, or that is damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from mcap.records import Channel, McapRecord, Message, Metadata
from pydantic import ValidationError

from skill_proto.messages import PROTOCOL_VERSION, Commanded, PolicyStep, Telemetry, Welcome
from skill_proto.printable import printable
from skill_proto.validation_text import clip, describe_errors
from skill_runtime.subscribers.recording.recording_file import (
    CHANNELS,
    COMMANDED_CHANNEL,
    POLICY_STEP_CHANNEL,
    SERVER_METADATA,
    TELEMETRY_CHANNEL,
)
from skill_runtime.subscribers.recording.records import (
    EndedEarlyError,
    RecordingError,
    read_records,
)

__all__ = ["Recorded", "Recording", "RecordingError"]

_KINDS: Mapping[str, type[Telemetry | PolicyStep | Commanded]] = {
    TELEMETRY_CHANNEL: Telemetry,
    POLICY_STEP_CHANNEL: PolicyStep,
    COMMANDED_CHANNEL: Commanded,
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message of a recording."""

    path: Path
    """Its file."""
    number: int
    """Its place among the messages of the file, from 1."""
    channel: str
    log_ns: int
    """Time of its arrival [ns since 1970]."""
    data: bytes
    """The JSON."""

    def parse(self) -> Telemetry | PolicyStep | Commanded:
        """Returns the message.

        Raises:
            RecordingError: It has another version, or is not what its channel is for.
        """
        try:
            return _KINDS[self.channel].model_validate_json(self.data)
        except ValidationError as error:
            raise RecordingError(
                f"message {self.number} of {self.path} (channel {self.channel}) {self._why(error)}"
            ) from None

    def _why(self, error: ValidationError) -> str:
        version = _version(self.data)
        if version not in (None, PROTOCOL_VERSION):
            return (
                f"has version {printable(clip(repr(version), 60))}, this program reads "
                f"{PROTOCOL_VERSION}; use the version of skill-serve that recorded it"
            )
        return (
            f"is none of skill-record: {describe_errors(error, 3)}; give a file that skill-record "
            "wrote"
        )


def _version(data: bytes) -> object:
    """Returns the version that a message gives; None without one."""
    with suppress(ValueError, RecursionError):
        message: object = json.loads(data)
        if isinstance(message, dict):
            return cast("dict[str, object]", message).get("v")
    return None


@dataclass(slots=True)
class _Extent:
    """The messages of a file that were read."""

    messages: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def add(self, log_ns: int) -> None:
        """Counts a message."""
        self.first_ns = min(self.first_ns, log_ns) if self.messages else log_ns
        self.last_ns = max(self.last_ns, log_ns)
        self.messages += 1

    def __str__(self) -> str:
        seconds = 1e-9 * (self.last_ns - self.first_ns)
        return f"{self.messages} messages of {seconds:.1f} s were read"


@dataclass
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

    paths: Sequence[Path]
    welcomes: dict[str, Welcome] = field(default_factory=dict[str, Welcome], init=False)
    cut_off: list[Path] = field(default_factory=list[Path], init=False)
    damaged: dict[Path, int] = field(default_factory=dict[Path, int], init=False)
    _extents: dict[Path, _Extent] = field(default_factory=dict[Path, _Extent], init=False)

    def read_welcomes(self) -> None:
        """Reads the descriptions of all servers: one may follow the first messages of its server.

        Raises:
            RecordingError: A file is no recording.
        """
        for path in self.paths:
            with suppress(EndedEarlyError):
                for record in read_records(path, whole_chunks=True):
                    self._note(path, record)

    def faults(self) -> list[str]:
        """Returns a line for each file read so far that has not all of its recording."""
        lines = [
            f"{path} ends without its index: its recorder was killed, or a copy was cut short; "
            f"{self._extents[path]}"
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
        for path in self.paths:
            yield from self._messages(path, channels)

    def _messages(self, path: Path, channels: Sequence[str]) -> Iterator[Recorded]:
        names: dict[int, str] = {}
        extent = self._extents[path] = _Extent()
        try:
            for record in read_records(path):
                if isinstance(record, Channel):
                    names[record.id] = record.topic
                elif isinstance(record, Message):
                    extent.add(record.log_time)
                    name = names.get(record.channel_id, "")
                    if name in channels:
                        yield Recorded(path, extent.messages, name, record.log_time, record.data)
                else:
                    self._note(path, record)
        except EndedEarlyError as end:
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
