"""The priority of a process that is to be measured on a machine with other work."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
"""Niceness of a session: Linux divides the time among sessions first (sched(7), autogroup)."""


def starts_with(nice: int, cpu: int | None = None) -> Callable[[], None]:
    """Returns a function for the start of a process, before its program.

    Args:
        nice: Niceness of the process, and of a session of its own; below 0 it needs root. 0 leaves
            both unchanged.
        cpu: Processor of all of its threads; None is any.
    """
    return partial(_apply, nice, cpu)


def _apply(nice: int, cpu: int | None) -> None:
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if nice:
        os.setsid()
        os.nice(nice)
        with suppress(OSError):  # a kernel without autogroups
            AUTOGROUP.write_text(str(nice), encoding="ascii")
