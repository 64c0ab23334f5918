"""Real-time scheduling and a processor asked of the system, and the garbage collector kept out.

Nothing here fails: what the system does not grant is reported in words, with what would grant it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from contextlib import suppress
from typing import NamedTuple

from skill_runtime.realtime.cpus import allowed, listed

FIFO_PRIORITY = 80
"""SCHED_FIFO priority of the loop: above all ordinary work, below the kernel's own threads."""

SWITCH_INTERVAL_S = 1e-4
"""How long another Python thread may keep the interpreter once the loop wants it [s]."""

PROCESSOR, SCHEDULING, MEMORY = "processor", "real-time scheduling", "locked memory"
"""What is asked for, as answers name it."""

_PR_SET_TIMERSLACK, _TIMER_SLACK_NS = 29, 1  # linux/prctl.h; the least there is
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # sys/mman.h on Linux


class Grant(NamedTuple):
    """What the system said to one request; as text, a sentence for the user."""

    what: str
    granted: bool
    detail: str

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}"


def configure_thread(*, cpu: int | None = None, realtime: bool = False) -> list[Grant]:
    """Asks for what is named, for the calling thread; locked memory is for the whole process.

    A precise timer is asked for in any case; threads that this one starts inherit it.

    Args:
        cpu: the only processor to run on; None for any.
        realtime: SCHED_FIFO and locked memory.

    Returns:
        One answer for each: granted, or why not and what to do.
    """
    set_timer_slack()
    answers = [] if cpu is None else [pin_thread(cpu)]
    return answers + (request_realtime() if realtime else [])


def set_timer_slack() -> None:
    """Linux wakes an ordinary thread up to 50 us late on purpose, to save power (prctl(2))."""
    with suppress(OSError, AttributeError, TypeError):  # as for mlockall
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, _TIMER_SLACK_NS, 0, 0, 0)


def pin_thread(cpu: int) -> Grant:
    """Asks that the calling thread runs on processor ``cpu`` and on no other.

    Other threads of the process stay where they are; threads that this one starts follow it.
    """
    what = PROCESSOR
    if not hasattr(os, "sched_setaffinity"):
        return Grant(what, False, f"{sys.platform} cannot keep a thread on one; it runs on any")
    try:
        os.sched_setaffinity(0, {cpu})  # 0 is the calling thread, not its process
    except OSError as error:
        return Grant(
            what,
            False,
            f"{cpu} refused ({error.strerror}); this process may use {listed(allowed())}: choose "
            "one of these, or widen the cpuset of its container or service",
        )
    return Grant(what, True, f"{cpu}, for the loop alone; other threads run where they like")


def request_realtime() -> list[Grant]:
    """Asks for SCHED_FIFO for the calling thread and for locked memory.

    Returns:
        One answer for each: granted, or why not and what to do.
    """
    return [_request_fifo(), _request_locked_memory()]


def _request_fifo() -> Grant:
    what = SCHEDULING
    if not hasattr(os, "sched_setscheduler"):
        return Grant(what, False, f"{sys.platform} has no SCHED_FIFO")
    try:
        # Whatever this thread may start is ordinary again: only the loop comes before all else.
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(FIFO_PRIORITY))
    except OSError as error:
        return Grant(
            what,
            False,
            f"refused ({error.strerror}); grant it with 'rtprio {FIFO_PRIORITY}' in "
            "/etc/security/limits.conf or CAP_SYS_NICE",
        )
    return Grant(what, True, f"SCHED_FIFO at priority {FIFO_PRIORITY}")


def _request_locked_memory() -> Grant:
    what = MEMORY
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    except (OSError, AttributeError, TypeError):  # TypeError: Windows has no CDLL(None)
        return Grant(what, False, f"{sys.platform} has no mlockall")
    if failed:
        reason = os.strerror(ctypes.get_errno())
        return Grant(
            what,
            False,
            f"refused ({reason}); grant it with 'memlock unlimited' in "
            "/etc/security/limits.conf or CAP_IPC_LOCK",
        )
    return Grant(what, True, "yes")


class DeferredGc:
    """Keeps the garbage collector out of the ticks and runs it in their slack.

    Used as a context manager round the loop. What exists on entry is never looked at again
    (``gc.freeze``), so that a collection has only the loop's own few objects to go through.
    """

    def __init__(self, interval_s: float = 1.0) -> None:
        self._interval_s = interval_s
        self._due: list[float] = []
        self._expected_s = [0.0, 0.0]

    def __enter__(self) -> DeferredGc:
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

    def collect_in_slack(self, now: float, slack_s: float) -> None:
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
