"""One writer per run directory: a file in it that the writing process holds locked.

The operating system drops the lock when the process ends, however it ends. The file remains.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from skill_training.errors import RunDirectoryError

logger = logging.getLogger(__name__)

FILE_NAME = "run.lock"

_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of a file system that has no locks."""


@contextmanager
def locked(directory: Path, activity: str) -> Generator[None]:
    """Holds the lock of a run directory inside the block.

    A file system without locks gives a warning, and no protection.

    Args:
        directory: An existing directory.
        activity: Verb for the message to other processes, such as 'trains'.

    Raises:
        RunDirectoryError: another process writes here, or the directory cannot be written.
    """
    path = directory / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunDirectoryError(f"cannot write to {directory}: {error}") from None
    try:
        _take(descriptor, directory)
        _describe(descriptor, f"PID {os.getpid()} on {socket.gethostname()} {activity} here")
        yield
        # A process that is killed leaves its text, which counts only while the lock is held.
        _describe(descriptor, "")
    finally:
        os.close(descriptor)


def _take(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 500, 0).decode(errors="replace").strip()
        raise RunDirectoryError(
            f"{directory} is in use: {text or 'another process writes here'}; wait until it ends, "
            "stop it, or choose another --run-dir"
        ) from None
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise RunDirectoryError(f"cannot lock {directory}: {error}") from None
        logger.warning(
            "the file system of %s has no locks; start no second process on this run", directory
        )


def _describe(descriptor: int, text: str) -> None:
    """Replaces the text in the file. The lock holds without it, e.g. on a full disk."""
    since = f" since {datetime.now(UTC).isoformat(timespec='seconds')}\n" if text else ""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, (text + since).encode(), 0)
    except OSError as error:
        logger.debug("cannot describe the lock: %s", error)
