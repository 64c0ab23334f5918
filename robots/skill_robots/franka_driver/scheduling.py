"""Scheduling and processors of the driver's thread, its delays, and the signals of a child."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from contextlib import suppress

FEED_PRIORITY = 85
"""SCHED_FIFO priority of the thread that feeds the law: above the server's control loop (80), below
the vendor's thread, for which libfranka asks for the highest priority."""

_PR_SET_TIMERSLACK, _TIMER_SLACK_NS = 29, 1  # linux/prctl.h
_LOCK_ALL = 1 | 2 | 4  # MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT


WINDOW = 1000
"""Cycles over which the longest delay is reported."""


def configure_driver(*, locked: bool) -> list[str]:
    """Asks for exact timers and SCHED_FIFO, and on request for locked memory.

    libfranka may have changed the scheduling of the calling thread, so this comes after the
    connection; the vendor's thread inherits the scheduling. The garbage collector is off from here
    on: the driver makes no cycles of objects.

    Args:
        locked: whether to lock the memory of the process.

    Returns:
        A remark for each refusal.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    if sys.platform != "linux":
        return [f"{sys.platform} has no SCHED_FIFO; the driver needs Linux"]
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, _TIMER_SLACK_NS, 0, 0, 0)
    remarks: list[str] = []
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FEED_PRIORITY))
    except OSError as error:
        remarks.append(
            f"the driver has no real-time scheduling ({error.strerror}): it may miss the robot's "
            f"deadlines; grant it with 'rtprio {FEED_PRIORITY}' in /etc/security/limits.conf"
        )
    libc = ctypes.CDLL(None, use_errno=True)
    if locked and libc.mlockall(_LOCK_ALL):
        reason = os.strerror(ctypes.get_errno())
        remarks.append(
            f"the driver's memory is not locked ({reason}); grant it with 'memlock unlimited' in "
            "/etc/security/limits.conf"
        )
    return remarks


def allowed_cpus() -> set[int]:
    """Returns the processors on which the calling thread may run; none if they are unknown."""
    return os.sched_getaffinity(0) if sys.platform == "linux" else set()


def run_on(cpus: set[int]) -> None:
    """Lets the calling thread, and the processes that it starts, run on these processors."""
    if cpus and sys.platform == "linux":
        with suppress(OSError):  # the processors were taken from this process meanwhile
            os.sched_setaffinity(0, cpus)


def leave_signals_to_parent() -> None:
    """Ignores Ctrl-C and the end of a session, which reach every process of the group."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)


class Delays:
    """The longest delay of a cycle, over one to two windows.

    Attributes:
        longest_s: the longest delay [s].
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._current_s = 0.0
        self._count = 0

    def add(self, late_s: float) -> None:
        """Adds the delay of one cycle [s]."""
        self._count += 1
        if self._count == WINDOW:
            self._count, self.longest_s, self._current_s = 0, self._current_s, 0.0
        if late_s > self._current_s:
            self._current_s = late_s
            self.longest_s = max(self.longest_s, late_s)
