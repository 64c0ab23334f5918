"""Disk: a file that ends with a whole record, whatever happens to the disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class Disk:
    """A new file, written without a buffer.

    Each call of :meth:`write` is kept whole or not at all, so a full disk leaves a readable file,
    and a process that is killed loses no call that has returned.

    Args:
        path: The file, which must not exist.

    Raises:
        OSError: The file exists, or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._is_open = True
        self.size = 0

    def write(self, data: bytes) -> int:
        """Appends whole records.

        Raises:
            OSError: The disk is full, or fails; the file keeps its earlier length.
        """
        view, written = memoryview(data), 0
        try:
            while written < len(view):
                written += os.write(self._descriptor, view[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
                os.lseek(self._descriptor, self.size, os.SEEK_SET)
            raise
        self.size += written
        return written

    def tell(self) -> int:
        """Returns the length of the file [bytes]."""
        return self.size

    def flush(self) -> None:
        """Does not do anything: there is no buffer."""

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)
