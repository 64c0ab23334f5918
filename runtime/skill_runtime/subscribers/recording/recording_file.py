"""RecordingFile: one MCAP file of the messages of a server.

A channel per kind of message, encoded as JSON without a schema: the JSON Schema of these messages
has parts that viewers of MCAP refuse. Messages are collected in compressed chunks. A chunk is in
the file as soon as it is complete, so a process that is killed loses the messages of the last one.
The recorder completes them by time.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, cast

from mcap.writer import CompressionType, Writer

from skill_runtime.console.streams import OutputError
from skill_runtime.subscribers.recording.disk import Disk

TELEMETRY_CHANNEL = "/telemetry"
POLICY_STEP_CHANNEL = "/policy_step"
COMMANDED_CHANNEL = "/commanded"
CHANNELS = (TELEMETRY_CHANNEL, POLICY_STEP_CHANNEL, COMMANDED_CHANNEL)

SERVER_METADATA = "server"
"""Name of the metadata record with the server's description, one for each run of a server."""

CHUNK_BYTES = 256 * 1024
"""Largest size of the messages in a chunk before compression: more than a second of an arm."""


class RecordingFile:
    """One file.

    Args:
        path: The file, which must not exist.

    Attributes:
        path: As given.

    Raises:
        OutputError: The file exists or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._disk = Disk(path)
        except FileExistsError:
            fix = OSError("it exists, and a recording overwrites no file")
            raise OutputError(str(path), fix) from None
        except OSError as error:
            raise OutputError(str(path), error) from None
        # The writer needs no more of a stream than a Disk has.
        self._writer = Writer(
            cast("IO[Any]", self._disk),
            chunk_size=CHUNK_BYTES,
            compression=CompressionType.ZSTD,
            enable_data_crcs=True,
        )
        try:
            self._writer.start(library="skill-record")
        except OSError as error:
            self._disk.close()
            raise OutputError(str(path), error) from None
        self._channels = {
            topic: self._writer.register_channel(topic, "json", 0) for topic in CHANNELS
        }

    @property
    def size(self) -> int:
        """Bytes that are in the file."""
        return self._disk.size

    def describe(self, welcome: str) -> None:
        """Writes the description of a server, the JSON of a ``welcome``.

        Raises:
            OutputError: The disk is full, or fails.
        """
        try:
            self._writer.add_metadata(SERVER_METADATA, {"welcome": welcome})
        except OSError as error:
            raise OutputError(str(self.path), error) from None

    def write(self, channel: str, data: bytes, log_ns: int, publish_ns: int, seq: int) -> None:
        """Adds a message.

        Args:
            channel: One of :data:`CHANNELS`.
            data: The JSON.
            log_ns: Time of the arrival [ns since 1970].
            publish_ns: Time of the publication on the same clock [ns].
            seq: Number of the message in its channel.

        Raises:
            OutputError: The disk is full, or fails; the file has all earlier chunks.
        """
        try:
            self._writer.add_message(
                self._channels[channel],
                log_time=log_ns,
                data=data,
                publish_time=publish_ns,
                sequence=seq & 0xFFFFFFFF,
            )
        except OSError as error:
            raise OutputError(str(self.path), error) from None

    def flush(self) -> None:
        """Writes the messages that are not in the file yet, as a chunk; without any, does nothing.

        Raises:
            OutputError: The disk is full, or fails; the file has all earlier chunks.
        """
        try:
            self._writer.flush()
        except OSError as error:
            raise OutputError(str(self.path), error) from None

    def close(self) -> None:
        """Writes the last chunk and the index, and closes the file.

        Raises:
            OutputError: The disk is full, or fails; the file has all earlier chunks.
        """
        try:
            self._writer.finish()
        except OSError as error:
            raise OutputError(str(self.path), error) from None
        finally:
            self._disk.close()

    def abandon(self) -> None:
        """Closes a file that cannot be written any more; it may be closed already."""
        self._disk.close()
