"""Processors of this machine: online, isolated, and allowed for this thread."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

CPU_FOLDER = "sys/devices/system/cpu"


def online_cpus(root: Path = Path("/")) -> list[int]:
    """Returns the processors of the machine, including those that this process may not use."""
    found = _read(root / CPU_FOLDER / "online")
    return found or list(range(os.cpu_count() or 1))


def isolated_cpus(root: Path = Path("/")) -> list[int]:
    """Returns the processors on which the kernel schedules no other program (``isolcpus``)."""
    return _read(root / CPU_FOLDER / "isolated")


def is_virtual_machine(root: Path = Path("/")) -> bool:
    """Returns whether a hypervisor provides the processors; False if unknown."""
    try:
        with (root / "proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            # Those of the first processor: the kernel writes the file as it is read.
            flags = next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return False
    return "hypervisor" in flags.split()


def allowed_cpus() -> list[int]:
    """Returns the processors that the calling thread may use."""
    if not hasattr(os, "sched_getaffinity"):
        return online_cpus()
    return sorted(os.sched_getaffinity(0))


def use_cpus(cpus: Iterable[int]) -> None:
    """Restricts the calling thread, and what it starts, to these processors if the system can."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):  # the container has lost a processor meanwhile
            os.sched_setaffinity(0, cpus)


def loop_cpus(cpu: int | None, allowed: Sequence[int]) -> frozenset[int]:
    """Returns the processors of the control loop.

    Linux often starts a program that was woken on the processor of the program that woke it, even
    if another one is idle: both then wait for each other, and evict each other's cache. The loop
    and the processes that wake it therefore have different processors. The loop gets the upper
    half, and not just one, so that the loops of two servers need not share a processor.

    Args:
        cpu: The only processor of the loop; None to choose.
        allowed: Processors that the server may use, ascending.

    Returns:
        The chosen one, or the upper half of the allowed ones, at least one.
    """
    return frozenset(allowed[len(allowed) // 2 :]) if cpu is None else frozenset({cpu})


def cpus_beside(cpu: int | None, allowed: Sequence[int]) -> frozenset[int]:
    """Returns the processors of the other processes of a server: those that the loop leaves.

    Args:
        cpu: As for :func:`loop_cpus`.
        allowed: Processors that the server may use, ascending.

    Returns:
        All others; all, if none is left.
    """
    return (frozenset(allowed) - loop_cpus(cpu, allowed)) or frozenset(allowed)


def parse_cpus(text: str) -> list[int]:
    """Returns the numbers of a list such as ``0-3,8``.

    Raises:
        ValueError: The text is not such a list.
    """
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def format_cpus(numbers: Iterable[int]) -> str:
    """Returns ascending numbers as Linux writes them: ``0-3,8``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _read(path: Path) -> list[int]:
    try:
        return parse_cpus(path.read_text())
    except (OSError, ValueError):
        return []
