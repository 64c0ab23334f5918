"""A file of metrics that buffers records while the disk is full, and appends them later."""

from __future__ import annotations

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)


class AppendedFile:
    """Appends bytes to a file. On a full disk it keeps them in memory for the next attempt.

    Args:
        path: The file. It is created if it is missing.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._kept = bytearray()
        self._failing = False

    def write(self, data: bytes) -> None:
        """Appends ``data``, after all bytes that were kept.

        A failure gives a warning, unless the previous write failed too.
        """
        self._kept += data
        try:
            while self._kept:
                del self._kept[: os.write(self._descriptor, self._kept)]
        except OSError as error:
            if not self._failing:
                logger.warning(
                    "cannot write %s: %s; its records wait in memory while training goes on",
                    self._path,
                    error,
                )
        self._failing = bool(self._kept)

    def close(self) -> None:
        """Makes a last attempt, and closes the file. Bytes that are still kept are lost."""
        self.write(b"")
        if self._kept:
            logger.warning("%s lacks its last records", self._path)
        try:
            os.close(self._descriptor)
        except OSError as error:
            logger.warning("cannot close %s: %s", self._path, error)
