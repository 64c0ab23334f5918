"""Signals while a program starts: Ctrl-C ends it at once, without a traceback."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from skill_runtime.console.exit_codes import INTERRUPTED

CHILDREN_END_S = 1.0
"""Longest wait for the end of child processes [s]."""

POLL_S = 0.005
"""Time between two looks at the child processes [s]."""


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


def end_at_once() -> NoReturn:
    """Ends the program with exit code ``INTERRUPTED``, without cleanup.

    Child processes get at most ``CHILDREN_END_S`` to end first: mujoco imports glfw, which starts a
    process that prints its version to a pipe of this program, and a traceback if the pipe is gone.
    """
    ends = time.monotonic() + CHILDREN_END_S
    with suppress(ChildProcessError):
        while time.monotonic() < ends:
            os.waitpid(-1, os.WNOHANG)
            time.sleep(POLL_S)
    os._exit(INTERRUPTED)


def _end(number: int, frame: FrameType | None) -> None:
    # The kernel skips a signal's default action for the first process of a container.
    del number, frame
    end_at_once()
