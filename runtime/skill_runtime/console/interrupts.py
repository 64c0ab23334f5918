"""Signals while a program starts: Ctrl-C ends it at once, without a traceback."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

from skill_runtime.console.exit_codes import INTERRUPTED

FLUSH_TIME_S = 0.15
"""Time for a child process to finish printing [s]."""


def end_at_interrupt() -> None:
    """Makes an interrupt end the program at once, with exit code ``INTERRUPTED``.

    An interrupt that the parent process disabled (``nohup``, a shell's ``&``) stays disabled.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def ignore_terminal_stop() -> None:
    """Keeps the program running if it prints in the background of a terminal (``stty tostop``).

    Otherwise the kernel suspends the program at its first output.
    """
    if hasattr(signal, "SIGTTOU"):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)


def raise_at_interrupt() -> None:
    """Makes an interrupt raise KeyboardInterrupt, Python's default, after `end_at_interrupt`."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    # The kernel skips a signal's default action for the first process of a container.
    del number, frame
    # mujoco imports glfw, which starts a process that prints its version to a pipe of ours.
    time.sleep(FLUSH_TIME_S)
    os._exit(INTERRUPTED)
