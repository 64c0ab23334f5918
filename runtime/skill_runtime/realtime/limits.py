"""Limits of a child process: its memory, and its end with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

MIB = 2**20

PARENT = "SKILL_SERVE_PARENT"
"""Environment variable with the process id of the parent, which may die before its child asks."""


def be_a_child(*, ends_at_once: bool = True, nice: int = 0) -> None:
    """Leaves the signals of the terminal to the parent.

    Ctrl-C and the end of a session reach every process of the group, but the parent decides in
    which order the processes end.

    Args:
        ends_at_once: Whether Linux ends this process with its parent. Otherwise the process must
            notice by its parent's id that the parent has died.
        nice: By how much other processes come first (nice(2)).
    """
    os.nice(nice)
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    if sys.platform == "linux":
        parent = int(os.environ.get(PARENT) or os.getppid())
        if ends_at_once:
            with suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before the request
            os._exit(1)


def limit_memory(allowance_mib: int) -> None:
    """Limits the memory that the process may allocate from now on.

    A process that exceeds the limit ends, and its parent starts it again.

    Args:
        allowance_mib: Memory in addition to that in use now [MiB].
    """
    with suppress(OSError, ValueError, ImportError):
        import resource

        limit = _data_bytes() + allowance_mib * MIB
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def process_state(pid: int) -> str:
    """Returns the state of a process as in proc(5), e.g. 'R' for running; '' if unknown."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as status:
            return status.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def _data_bytes() -> int:
    """Returns the size of the private writable memory, as RLIMIT_DATA counts it.

    Raises:
        ValueError: The system does not tell it.
    """
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    raise ValueError("/proc/self/status has no VmData")
