"""The processes of a running skill-serve, and their memory.

A server of one process, as in older revisions, is its own controller.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import psutil

Role = Literal["supervisor", "controller", "gateway", "stop listener", "policy service"]

MODULES: dict[str, Role] = {
    "skill_runtime.processes.controller": "controller",
    "skill_runtime.processes.gateway": "gateway",
    "skill_runtime.stop_listener": "stop listener",
    "skill_runtime.processes.policy_service": "policy service",
}
"""Role of a child process, by the module in its command line."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Memory of some processes together [MB]."""

    resident: float
    """Pages that several processes share count for each of them."""
    proportional: float
    """Shared pages are divided by the number of their processes; nan if the system does not say."""


def find_processes(pid: int) -> dict[Role, psutil.Process]:
    """Returns the processes of a server by role; empty if it has ended.

    Args:
        pid: Process ID of skill-serve.
    """
    found: dict[Role, psutil.Process] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        if server.status() == psutil.STATUS_ZOMBIE:
            return {}
        for child in server.children(recursive=True):
            role = _role(child)
            if role is not None:
                found[role] = child
        found["supervisor" if "controller" in found else "controller"] = server
    return found


def _role(process: psutil.Process) -> Role | None:
    with contextlib.suppress(psutil.Error):  # it may have ended
        return next((MODULES[word] for word in process.cmdline() if word in MODULES), None)
    return None


def resident_mb(process: psutil.Process) -> float:
    """Returns the resident memory of a process; 0 if it has ended [MB]."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.memory_info().rss / 1e6
    return 0.0


def measure_memory(processes: Iterable[psutil.Process]) -> Memory:
    """Returns the memory of processes that run."""
    found = [process.memory_full_info() for process in processes]
    return Memory(
        resident=sum(one.rss for one in found) / 1e6,
        proportional=sum(getattr(one, "pss", math.nan) for one in found) / 1e6,
    )
