"""Standard streams of a program that ends with a clear error if its output cannot be written.

``guard_streams`` replaces ``sys.stdout`` and ``sys.stderr``, so that one place handles a full disk,
a closed terminal and a closed descriptor for all that a program prints.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FIXES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit of 'ulimit -f'",
}


class OutputError(Exception):
    """A result cannot be written; the text names the target, the reason and the fix.

    Args:
        target: The file or the stream.
        error: The error of the operating system.
        elsewhere: What the user can do instead of a repair.
    """

    def __init__(
        self, target: str, error: OSError, elsewhere: str = "give the path of another file"
    ) -> None:
        repair = _FIXES.get(error.errno or 0)
        fix = elsewhere if repair is None else f"{repair}, or {elsewhere}"
        super().__init__(f"cannot write {target}: {error.strerror or error}; {fix}")


class ReaderGoneError(BrokenPipeError):
    """The reader of standard output, such as ``| head``, has closed the pipe."""


def guard_streams() -> None:
    """Replaces the standard streams by streams that fail in one defined way.

    - Descriptors 0 to 2 that are closed lead to the null device. Otherwise the next socket or file
      would get the number, and all that a library prints would go there.
    - A failed write to standard output raises :class:`OutputError`, or :class:`ReaderGoneError`.
      Further output is discarded, so that the buffer is no error at the end of the program.
    - Standard error never raises: a message that cannot be printed does not change the exit code.
    - Characters that the terminal's encoding lacks are escaped.

    A stream without a descriptor, as in a notebook, stays unchanged.
    """
    closed = _open_missing_descriptors()
    sys.stdout = _guarded(sys.stdout, _Checked(1, closed=1 in closed))
    sys.stderr = _guarded(sys.stderr, _Quiet(2))


def discard_output() -> None:
    """Discards all further standard output; for use after a BrokenPipeError."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def has_descriptor(stream: TextIO | None) -> bool:
    """Returns whether the stream writes to a file descriptor."""
    try:
        return stream is not None and stream.fileno() >= 0
    except (OSError, ValueError):  # UnsupportedOperation of a notebook or a test is both
        return False


def write_some(descriptor: int, data: ReadableBuffer) -> int:
    """Writes at least one byte and returns the number; waits if the descriptor does not block.

    Another program that shares the terminal or the pipe may have made it non-blocking.

    Raises:
        OSError: the data cannot be written.
    """
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


class _Checked(io.FileIO):
    """Standard output; its first failed write raises, and later ones are discarded."""

    def __init__(self, descriptor: int, *, closed: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._was_closed = closed
        self._failed = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Writes some of the bytes.

        Raises:
            ReaderGoneError: the reader has closed the pipe.
            OutputError: the bytes cannot be written.
        """
        if self._failed:
            return memoryview(data).nbytes
        try:
            if self._was_closed:
                raise OSError(errno.EBADF, "the descriptor was closed when the program started")
            return write_some(self.fileno(), data)
        except BrokenPipeError as error:
            self._failed = True
            raise ReaderGoneError(*error.args) from None
        except OSError as error:
            self._failed = True
            raise OutputError("standard output", error, "send the output elsewhere") from None


class _Quiet(io.FileIO):
    """Standard error; bytes that cannot be written are dropped."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)

    def write(self, data: ReadableBuffer, /) -> int:
        """Writes some of the bytes, or none of them."""
        try:
            return write_some(self.fileno(), data)
        except OSError:
            return memoryview(data).nbytes


def _open_missing_descriptors() -> set[int]:
    """Opens the null device for closed standard descriptors; returns those that were closed."""
    closed: set[int] = set()
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(descriptor)
            null = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)
    return closed


def _guarded(stream: TextIO | None, raw: io.FileIO) -> TextIO:
    """Returns a text stream on ``raw`` with the settings of ``stream``, a closed one being None."""
    if stream is not None:
        if not has_descriptor(stream) or stream.fileno() != raw.fileno():
            raw.close()
            return stream
        stream.flush()
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=unbuffered or isinstance(raw, _Quiet) or raw.isatty(),
    )
