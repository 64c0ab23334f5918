"""RecordingFiles: one file, or files that follow each other by size or time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skill_runtime.subscribers.recording.recording_file import RecordingFile


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """When a new file begins; infinity: never."""

    size_mb: float = math.inf
    """[10^6 bytes]."""
    minutes: float = math.inf

    @property
    def is_asked_for(self) -> bool:
        """Whether there can be a second file."""
        return math.isfinite(self.size_mb) or math.isfinite(self.minutes)

    def path_of(self, path: Path, number: int) -> Path:
        """Returns the path of a file of the recording at ``path``.

        Args:
            path: As the user gave it.
            number: Of the file, from 1.
        """
        if not self.is_asked_for:
            return path
        return path.with_name(f"{path.stem}-{number:03d}{path.suffix}")


class RecordingFiles:
    """The files of one recording.

    Args:
        path: The file. With rotation, a number is added: ``run-001.mcap``, ``run-002.mcap``.
        rotation: When a new file begins.
        clock: Time [s].

    Attributes:
        paths: The files so far.

    Raises:
        OutputError: A file exists or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        rotation: Rotation | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._rotation = rotation or Rotation()
        self._clock = clock
        self.paths: list[Path] = []
        self._closed_bytes = 0
        self._welcome: str | None = None
        self._file = self._next()

    @property
    def size(self) -> int:
        """Bytes in all files."""
        return self._closed_bytes + self._file.size

    def _next(self) -> RecordingFile:
        path = self._rotation.path_of(self._path, len(self.paths) + 1)
        file = RecordingFile(path)
        self.paths.append(path)
        self._began = self._clock()
        if self._welcome is not None:
            file.describe(self._welcome)
        return file

    def describe(self, welcome: str) -> None:
        """Writes the description of the server, here and at the beginning of each later file.

        Raises:
            OutputError: The disk is full, or fails.
        """
        self._welcome = welcome
        self._file.describe(welcome)

    def write(self, channel: str, data: bytes, log_ns: int, publish_ns: int, seq: int) -> None:
        """Adds a message; see :meth:`RecordingFile.write`.

        Raises:
            OutputError: The disk is full, or fails.
        """
        if self._is_full():
            full = self._file
            full.close()
            self._file = self._next()
            self._closed_bytes += full.size
        self._file.write(channel, data, log_ns, publish_ns, seq)

    def _is_full(self) -> bool:
        too_large = self._file.size > 1e6 * self._rotation.size_mb
        return too_large or self._clock() - self._began > 60.0 * self._rotation.minutes

    def flush(self) -> None:
        """Writes the messages that are not in the file yet; see :meth:`RecordingFile.flush`.

        Raises:
            OutputError: The disk is full, or fails.
        """
        self._file.flush()

    def close(self) -> None:
        """Closes the last file.

        Raises:
            OutputError: The disk is full, or fails.
        """
        self._file.close()

    def abandon(self) -> None:
        """Closes a file that cannot be written any more; it may be closed already."""
        self._file.abandon()
