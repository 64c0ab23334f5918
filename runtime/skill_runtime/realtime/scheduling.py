"""Requests real-time scheduling from the system, and defers garbage collection to slack time.

No request raises: a refused one is reported with its reason and the way to grant it.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import sys
import time
from contextlib import suppress
from struct import Struct
from typing import NamedTuple

from skill_runtime.realtime.cpus import allowed_cpus, format_cpus

FIFO_PRIORITY = 80
"""SCHED_FIFO priority of the loop: above ordinary threads, below the kernel's own."""

SWITCH_INTERVAL_S = 1e-4
"""Longest time that another Python thread keeps the interpreter while the loop waits for it [s]."""

PROCESSOR, SCHEDULING, LOCKED_MEMORY = "processor", "real-time scheduling", "locked memory"
"""Names of the requests."""

SLICE_NS = 100_000
"""Time slice that the loop asks for, the least that Linux grants [ns]. A tick is much longer, but
a task with a short slice does not wait for the end of another's."""

NICE = -11
"""Niceness that the loop asks for, that of other real-time programs for sound and video; ordinary
programs have 0. Linux grants it to root and within RLIMIT_NICE."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
"""Number of the system call sched_setattr(2) by machine."""

_SCHED_ATTR = Struct("<IIQiIQQQII")
"""``struct sched_attr``: size, policy, flags, nice, priority, runtime, deadline, period, clamps."""

_RESET_ON_FORK = 1
"""SCHED_FLAG_RESET_ON_FORK of sched_setattr(2): threads that this one starts are ordinary ones."""

_PR_SET_TIMERSLACK, _TIMER_SLACK_NS = 29, 1  # linux/prctl.h; 1 ns is the minimum
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # sys/mman.h on Linux


class Grant(NamedTuple):
    """The system's reply to one request; ``str`` gives a line for the user."""

    request: str
    granted: bool
    detail: str

    def __str__(self) -> str:
        return f"{self.request}: {self.detail}"


def configure_thread(*, cpu: int | None = None, realtime: bool = False) -> list[Grant]:
    """Sets processor and scheduling of the calling thread, and locks the memory of the process.

    Timer slack and time slice are always set to their minimum, and the niceness to :data:`NICE` if
    Linux grants it. Threads that this one starts inherit the timer slack alone.

    Args:
        cpu: The only processor to run on; None for any.
        realtime: Whether to request SCHED_FIFO and locked memory.

    Returns:
        One grant per request: granted, or the reason and the fix.
    """
    set_timer_slack()
    set_slice_and_niceness()
    grants = [] if cpu is None else [pin_thread(cpu)]
    return grants + (request_realtime() if realtime else [])


def set_timer_slack() -> None:
    """Sets the timer slack of the calling thread to its minimum.

    By default Linux wakes an ordinary thread up to 50 us late, to save power (prctl(2)).
    """
    with suppress(OSError, AttributeError, TypeError):  # as for mlockall
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, _TIMER_SLACK_NS, 0, 0, 0)


def set_slice_and_niceness() -> None:
    """Asks for a short time slice and :data:`NICE`: the calling thread runs soon after it wakes up.

    Without it, Linux may let another task of ordinary scheduling end its slice of about 3 ms first
    (EEVDF scheduler, Linux 6.12; older kernels ignore the request). It needs no permission. The
    niceness does, so it is set in the same request only if Linux grants it.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None or os.sched_getscheduler(0) != os.SCHED_OTHER:
        return
    now = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(OSError, AttributeError):
        for nice in (min(now, NICE), now):
            attributes = _SCHED_ATTR.pack(
                *(_SCHED_ATTR.size, os.SCHED_OTHER, _RESET_ON_FORK),
                *(nice, 0, SLICE_NS, 0, 0, 0, 0),
            )
            if ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0:
                return


def pin_thread(cpu: int) -> Grant:
    """Pins the calling thread to processor ``cpu``.

    Other threads of the process are not affected; threads that this one starts inherit the pin.
    """
    if not hasattr(os, "sched_setaffinity"):
        return Grant(PROCESSOR, False, f"{sys.platform} cannot pin a thread; it runs on any")
    try:
        os.sched_setaffinity(0, {cpu})  # 0 is the calling thread, not its process
    except OSError as error:
        return Grant(
            PROCESSOR,
            False,
            f"{cpu} refused ({error.strerror}); this process may use "
            f"{format_cpus(allowed_cpus())}: choose one of these, or widen the "
            "cpuset of its container or service",
        )
    return Grant(PROCESSOR, True, f"{cpu}, for the loop only; other threads are not pinned")


def request_realtime() -> list[Grant]:
    """Requests SCHED_FIFO for the calling thread, and locked memory for the process.

    Returns:
        One grant per request: granted, or the reason and the fix.
    """
    return [_request_fifo(), _request_locked_memory()]


def _request_fifo() -> Grant:
    if not hasattr(os, "sched_setscheduler"):
        return Grant(SCHEDULING, False, f"{sys.platform} has no SCHED_FIFO")
    try:
        # Threads that this one starts get ordinary scheduling: only the loop has priority.
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, policy, os.sched_param(FIFO_PRIORITY))
    except OSError as error:
        return Grant(
            SCHEDULING,
            False,
            f"refused ({error.strerror}); grant it with 'rtprio {FIFO_PRIORITY}' in "
            "/etc/security/limits.conf or CAP_SYS_NICE",
        )
    return Grant(SCHEDULING, True, f"SCHED_FIFO at priority {FIFO_PRIORITY}")


def _request_locked_memory() -> Grant:
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        failed = libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    except (OSError, AttributeError, TypeError):  # TypeError: Windows has no CDLL(None)
        return Grant(LOCKED_MEMORY, False, f"{sys.platform} has no mlockall")
    if failed:
        reason = os.strerror(ctypes.get_errno())
        return Grant(
            LOCKED_MEMORY,
            False,
            f"refused ({reason}); grant it with 'memlock unlimited' in "
            "/etc/security/limits.conf or CAP_IPC_LOCK",
        )
    return Grant(LOCKED_MEMORY, True, "yes")


class DeferredGc:
    """Context manager that keeps the garbage collector out of ticks and runs it in their slack.

    Objects that exist on entry are excluded from collection (``gc.freeze``), so that a collection
    traverses only the few objects of the loop itself.
    """

    def __init__(self, interval_s: float = 1.0) -> None:
        self._interval_s = interval_s
        self._due: list[float] = []
        self._expected_s = [0.0, 0.0]

    def __enter__(self) -> DeferredGc:
        """Switches automatic collection off."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        return self

    def __exit__(self, *_: object) -> None:
        """Switches automatic collection on again."""
        sys.setswitchinterval(self._switch_interval)
        gc.enable()
        gc.unfreeze()

    def collect_in_slack(self, now: float, slack_s: float) -> None:
        """Collects if a collection is due and would fit three times into ``slack_s``.

        Young objects are collected every interval, all objects every ten intervals. The expected
        duration is that of the last collection. A collection that is overdue by ten times its own
        interval runs even if it does not fit.

        Args:
            now: Current time [s].
            slack_s: Time until the next deadline [s].
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
