"""What the system says of itself, as far as it bears on how punctually a loop can run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from skill_runtime.realtime.cpus import FOLDER, isolated, online

ROOT = Path("/")
CLOCK_SOURCE = "sys/devices/system/clocksource/clocksource0/current_clocksource"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What this user may ask for without privileges; None is without limit."""

    rtprio: int | None
    """Highest SCHED_FIFO priority; 0 grants none."""
    memlock_bytes: int | None
    """Memory that may be locked [bytes]."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Facts of kernel and processors; '' and None where the system does not tell."""

    kernel: str
    preempt_rt: bool
    announces_rt: bool
    """Whether ``/sys/kernel/realtime`` reads 1, which is where libfranka looks."""
    processors: tuple[int, ...]
    isolated: tuple[int, ...]
    """Processors on which the kernel starts nothing by itself."""
    governors: tuple[str, ...]
    """Frequency governors in use; none where the machine has no frequency scaling to set."""
    hypervisor: str
    """What the machine is simulated by; '' on real hardware."""
    container: bool
    clock_source: str
    load: float | None
    """Programs that wanted a processor, on average over the last minute."""
    limits: Limits


def read_machine(root: Path = ROOT) -> Machine:
    """Reads the facts of the machine whose ``/proc`` and ``/sys`` are under ``root``."""
    announces_rt = _read(root / "sys/kernel/realtime") == "1"
    version = _read(root / "proc/version")
    return Machine(
        kernel=_read(root / "proc/sys/kernel/osrelease"),
        preempt_rt=announces_rt or "PREEMPT_RT" in version,
        announces_rt=announces_rt,
        processors=tuple(online(root)),
        isolated=tuple(isolated(root)),
        governors=_governors(root),
        hypervisor=_hypervisor(root),
        container=any((root / name).exists() for name in (".dockerenv", "run/.containerenv")),
        clock_source=_read(root / CLOCK_SOURCE),
        load=_load(root),
        limits=read_limits(),
    )


def read_limits() -> Limits:
    """The soft limits of this process."""
    if sys.platform != "linux":
        return Limits(rtprio=0, memlock_bytes=0)
    import resource  # there is none on Windows, and no RLIMIT_RTPRIO on macOS

    def soft(which: int) -> int | None:
        limit = resource.getrlimit(which)[0]
        return None if limit == resource.RLIM_INFINITY else limit

    return Limits(rtprio=soft(resource.RLIMIT_RTPRIO), memlock_bytes=soft(resource.RLIMIT_MEMLOCK))


def _governors(root: Path) -> tuple[str, ...]:
    found = (root / FOLDER).glob("cpu[0-9]*/cpufreq/scaling_governor")
    return tuple(sorted({_read(path) for path in found} - {""}))


def _hypervisor(root: Path) -> str:
    """Its name, or words where only its presence shows."""
    if "microsoft" in _read(root / "proc/sys/kernel/osrelease").lower():
        return "WSL"
    flags = (
        line.partition(":")[2].split()
        for line in _read(root / "proc/cpuinfo").splitlines()
        if line.startswith("flags")
    )
    named = _read(root / "sys/hypervisor/type")
    if "hypervisor" in next(flags, []):
        return named or _read(root / "sys/class/dmi/id/sys_vendor") or "by whom is not told"
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
