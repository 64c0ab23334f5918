"""Real-time scheduling asked of the operating system, and the garbage collector kept out.

Nothing here fails: what the system does not grant is reported in words, with what would grant it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time

FIFO_PRIORITY = 80
"""SCHED_FIFO priority of the loop: above all ordinary work, below the kernel's own threads."""

SWITCH_INTERVAL_S = 1e-4
"""How long another Python thread may keep the interpreter once the loop wants it [s]."""

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # sys/mman.h on Linux


def request_realtime() -> list[str]:
    """Asks for SCHED_FIFO for the calling thread and for locked memory.

    Returns:
        One sentence for each: granted, or why not and what to do.
    """
    return [_request_fifo(), _request_locked_memory()]


def _request_fifo() -> str:
    if not hasattr(os, "sched_setscheduler"):
        return f"real-time scheduling: {sys.platform} has no SCHED_FIFO"
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY))
    except OSError as error:
        return (
            f"real-time scheduling: refused ({error.strerror}); grant it with "
            f"'rtprio {FIFO_PRIORITY}' in /etc/security/limits.conf or CAP_SYS_NICE"
        )
    return f"real-time scheduling: SCHED_FIFO at priority {FIFO_PRIORITY}"


def _request_locked_memory() -> str:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    except (OSError, AttributeError, TypeError):  # TypeError: Windows has no CDLL(None)
        return f"locked memory: {sys.platform} has no mlockall"
    if failed:
        reason = os.strerror(ctypes.get_errno())
        return (
            f"locked memory: refused ({reason}); grant it with 'memlock unlimited' in "
            "/etc/security/limits.conf or CAP_IPC_LOCK"
        )
    return "locked memory: yes"


class QuietCollector:
    """Keeps the garbage collector out of the ticks and runs it in their slack.

    Used as a context manager round the loop. What exists on entry is never looked at again
    (``gc.freeze``), so that a collection has only the loop's own few objects to go through.
    """

    def __init__(self, interval_s: float = 1.0) -> None:
        self._interval_s = interval_s
        self._due: list[float] = []
        self._expected_s = [0.0, 0.0]

    def __enter__(self) -> QuietCollector:
        """Switches the collector off."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        return self

    def __exit__(self, *_: object) -> None:
        """Switches it on again."""
        sys.setswitchinterval(self._switch_interval)
        gc.enable()
        gc.unfreeze()

    def use_slack(self, now: float, slack_s: float) -> None:
        """Collects if it is due and would fit three times into ``slack_s``.

        Young objects every interval, all of them every ten; how long each takes is learnt from
        the last time. What is overdue ten times over is done even if it does not fit.
        """
        self._due = self._due or [now, now]
        for index, (generation, interval) in enumerate(
            ((2, 10 * self._interval_s), (1, self._interval_s))
        ):
            overdue_s = now - self._due[index]
            fits = slack_s > 3 * self._expected_s[index]
            if overdue_s >= 0 and (fits or overdue_s > 10 * interval):
                start = time.perf_counter()
                gc.collect(generation)
                self._expected_s[index] = time.perf_counter() - start
                self._due[index] = now + interval
                return
