"""Facts of kernel, processors and limits that determine how punctually a loop can run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from skill_runtime.realtime.cpus import (
    CPU_FOLDER,
    is_virtual_machine,
    isolated_cpus,
    online_cpus,
)

ROOT = Path("/")
CLOCK_SOURCE = "sys/devices/system/clocksource/clocksource0/current_clocksource"


@dataclass(frozen=True, kw_only=True)
class ResourceLimits:
    """Limits of this user without privileges; None is unlimited."""

    rtprio: int | None
    """Highest SCHED_FIFO priority; 0 refuses SCHED_FIFO."""
    memlock_bytes: int | None
    """Memory that may be locked [bytes]."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Facts of kernel and processors; '' and None if the system does not report a fact."""

    kernel: str
    preempt_rt: bool
    announces_rt: bool
    """Whether ``/sys/kernel/realtime`` reads 1, which libfranka checks."""
    processors: tuple[int, ...]
    isolated: tuple[int, ...]
    """Processors on which the kernel schedules no other program."""
    frequency_governors: tuple[str, ...]
    """CPU frequency governors in use; empty if the machine has no frequency scaling."""
    hypervisor: str
    """Name of the hypervisor; '' on real hardware."""
    container: bool
    clock_source: str
    load: float | None
    """Mean number of runnable programs over the last minute."""
    limits: ResourceLimits


def read_machine(root: Path = ROOT) -> Machine:
    """Reads the facts of the machine whose ``/proc`` and ``/sys`` are under ``root``."""
    announces_rt = _read(root / "sys/kernel/realtime") == "1"
    version = _read(root / "proc/version")
    return Machine(
        kernel=_read(root / "proc/sys/kernel/osrelease"),
        preempt_rt=announces_rt or "PREEMPT_RT" in version,
        announces_rt=announces_rt,
        processors=tuple(online_cpus(root)),
        isolated=tuple(isolated_cpus(root)),
        frequency_governors=_frequency_governors(root),
        hypervisor=_hypervisor(root),
        container=any((root / name).exists() for name in (".dockerenv", "run/.containerenv")),
        clock_source=_read(root / CLOCK_SOURCE),
        load=_load(root),
        limits=read_limits(),
    )


def read_limits() -> ResourceLimits:
    """Returns the soft limits of this process."""
    if sys.platform != "linux":
        return ResourceLimits(rtprio=0, memlock_bytes=0)
    import resource  # Windows lacks the module, macOS lacks RLIMIT_RTPRIO

    def soft(which: int) -> int | None:
        limit = resource.getrlimit(which)[0]
        return None if limit == resource.RLIM_INFINITY else limit

    return ResourceLimits(
        rtprio=soft(resource.RLIMIT_RTPRIO), memlock_bytes=soft(resource.RLIMIT_MEMLOCK)
    )


def _frequency_governors(root: Path) -> tuple[str, ...]:
    found = (root / CPU_FOLDER).glob("cpu[0-9]*/cpufreq/scaling_governor")
    return tuple(sorted({_read(path) for path in found} - {""}))


def _hypervisor(root: Path) -> str:
    """Returns the name of the hypervisor, 'hypervisor unknown' if it is unnamed, or ''."""
    if "microsoft" in _read(root / "proc/sys/kernel/osrelease").lower():
        return "WSL"
    named = _read(root / "sys/hypervisor/type")
    if is_virtual_machine(root):
        return named or _read(root / "sys/class/dmi/id/sys_vendor") or "hypervisor unknown"
    on_arm = _read(root / "proc/device-tree/hypervisor/compatible").strip("\0")
    return named or on_arm


def _load(root: Path) -> float | None:
    words = _read(root / "proc/loadavg").split()
    return float(words[0]) if words else None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
