"""Signals that end a session of a run with a checkpoint."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Self

NAMES = (
    "SIGINT",
    "SIGTERM",
    "SIGHUP",
    "SIGQUIT",
    "SIGUSR1",
    "SIGUSR2",
    "SIGALRM",
    "SIGXCPU",
    "SIGPWR",
)
"""Signals that would end a process: of terminals, init systems, batch systems and limits."""

EXIT_CODE = 128
"""Added to the number of a signal that ended the program, as shells do."""


class Interruption(BaseException):
    """A request to end a session, and the exception that ends a block of :meth:`at_once`.

    The training loop reads :meth:`asked` between two rounds. Inside :meth:`at_once` the signal's
    handler raises the exception.
    """

    def __init__(self) -> None:
        super().__init__("a signal ended the session")
        self.signal: signal.Signals | None = None
        self._at_once = False

    def asked(self) -> bool:
        """Whether a signal asked the session to end."""
        return self.signal is not None

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Ends work inside the block that a later session can repeat.

        Raises:
            Interruption: a signal arrives, or has arrived before.
        """
        self._at_once = True
        try:
            if self.asked():
                raise self
            yield
        finally:
            self._at_once = False

    @classmethod
    @contextmanager
    def caught(cls) -> Generator[Self]:
        """Catches the signals inside the block. Outside of the main thread it catches none.

        A signal that is ignored (``nohup``) stays ignored, and a handler of the calling program
        stays in place.
        """
        interruption = cls()
        if threading.current_thread() is not threading.main_thread():
            yield interruption
            return
        before = {number: signal.getsignal(number) for number in _numbers()}
        defaults = (signal.SIG_DFL, signal.default_int_handler)
        replaced = {number: handler for number, handler in before.items() if handler in defaults}
        for number in replaced:
            signal.signal(number, interruption._note)
        try:
            yield interruption
        finally:
            for number, handler in replaced.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.asked() and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = self.signal or signal.Signals(number)
        if self._at_once:
            self._at_once = False
            raise self


def _numbers() -> list[signal.Signals]:
    """Returns the signals that this system has."""
    return [signal.Signals[name] for name in NAMES if name in signal.Signals.__members__]
