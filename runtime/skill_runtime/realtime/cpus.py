"""Processors of this machine, as Linux lists them: which there are, and which are kept free."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

FOLDER = "sys/devices/system/cpu"


def online(root: Path = Path("/")) -> list[int]:
    """Numbers of the processors there are; not only those that this process may use now."""
    found = _read(root / FOLDER / "online")
    return found or list(range(os.cpu_count() or 1))


def isolated(root: Path = Path("/")) -> list[int]:
    """Processors on which the kernel starts nothing by itself (``isolcpus``)."""
    return _read(root / FOLDER / "isolated")


def allowed() -> list[int]:
    """Processors that the calling thread may use."""
    if not hasattr(os, "sched_getaffinity"):
        return online()
    return sorted(os.sched_getaffinity(0))


def parse(text: str) -> list[int]:
    """Numbers in a list such as ``0-3,8``.

    Raises:
        ValueError: it is no such list.
    """
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def listed(numbers: Iterable[int]) -> str:
    """The numbers, ascending, as Linux writes them: ``0-3,8``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _read(path: Path) -> list[int]:
    try:
        return parse(path.read_text())
    except (OSError, ValueError):
        return []
