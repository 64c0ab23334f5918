"""interrupts."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

FLUSH_TIME_S = 0.15
"""Time for a process that prints to us [s]."""


INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a program that was interrupted before it had begun."""


def end_at_interrupt() -> None:
    """From here on an interrupt ends the program at once, with :data:`INTERRUPTED`.

    An interrupt that whoever started the program has it ignore (``nohup``, a shell's ``&``) stays
    ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_at_interrupt() -> None:
    """From here on an interrupt raises KeyboardInterrupt, as Python has it."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    # Not the signal's default action: that one passes over the first process of a container.
    del number, frame
    # mujoco imports glfw, which has another process print its version: without us, into nothing.
    time.sleep(FLUSH_TIME_S)
    os._exit(INTERRUPTED)
