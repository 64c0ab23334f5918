"""Standard output and error of a training program, which may be full, closed, paused or absent.

A message that cannot be written is dropped, and the training goes on.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

PIECE = 1000
"""Characters of one write, at most 4 bytes each. A pipe that poll(2) reports as writable has room
for PIPE_BUF = 4,096 bytes (pipe(7))."""

PATIENCE_S = 1.0
"""Longest wait for a reader. Later messages are dropped at once until the reader reads again."""


class UnfailingStream:
    """A text stream that ignores failures to write, and waits only once for a stalled reader.

    Args:
        stream: The stream, or None if the process was started without it.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._stalled = False

    def write(self, text: str) -> int:
        """Writes ``text`` if possible."""
        for start in range(0, len(text), PIECE):
            self._write(text[start : start + PIECE])
        return len(text)

    def _write(self, text: str) -> None:
        if self._stream is not None and self._ready(self._stream):
            # A ValueError: the stream is closed, or cannot encode the text.
            with suppress(OSError, ValueError):
                self._stream.write(text)
                self._stream.flush()

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes lines if possible."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flushes the stream if possible."""
        if self._stream is not None and self._ready(self._stream):
            with suppress(OSError, ValueError):
                self._stream.flush()

    def _ready(self, stream: TextIO) -> bool:
        """Returns whether the stream takes text. Waits for a slow reader, not twice in a row."""
        self._stalled = not _takes_text(stream, 0.0 if self._stalled else PATIENCE_S)
        return not self._stalled

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        if self._stream is not None:
            with suppress(OSError, ValueError):
                return self._stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # an attribute of any stream
        return getattr(self._stream, name)


def unfailing(stream: TextIO | None) -> TextIO:
    """Returns a stream that ignores failures to write; see :class:`UnfailingStream`."""
    return cast("TextIO", UnfailingStream(stream))


@contextmanager
def unfailing_output() -> Generator[None]:
    """Makes standard output and error unfailing inside the block."""
    _open_standard_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = unfailing(before[0]), unfailing(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in before:
            _drop_unwritten(stream)


def _open_standard_descriptors() -> None:
    """Opens missing standard descriptors, so that no file of the run gets their numbers.

    C libraries write warnings to descriptor 2, whichever file it is.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _drop_unwritten(stream: TextIO | None) -> None:
    """Drops text that cannot be flushed, on which the interpreter would fail at its exit."""
    if stream is None:
        return
    try:
        if _takes_text(stream, 0.0):
            stream.flush()
            return
    except (OSError, ValueError):
        pass
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()


def _takes_text(stream: TextIO, patience_s: float) -> bool:
    """Returns False if a write would wait: on a paused terminal, or a pipe that is not read."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
        return bool(poll.poll(1000 * patience_s))
    except (OSError, ValueError):
        return True  # not a descriptor of the system
