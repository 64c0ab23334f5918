"""Runs of a sweep on the cores of this machine."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from skill_training.run.session.interruption import EXIT_CODE, Interruption
from skill_training.sweep.grid import Run
from skill_training.sweep.process import BUSY_S, start, was_busy

POLL_S = 0.5
"""Time between two looks at the processes [s]."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run whose process has ended."""

    run: Run
    code: int
    """Exit status of ``skill-train``."""
    reason: str = ""
    """Why it could not be run, if it was not ``skill-train`` that failed."""


def run_locally(
    runs: Sequence[Run], folder: Path, jobs: int, on_poll: Callable[[], None]
) -> list[Ended]:
    """Runs all, ``jobs`` at a time; returns their ends in the order of the ends.

    A signal that asks for the end, such as Ctrl-C, ends the processes, each of which saves a
    checkpoint first. A run whose directory another process still writes, such as the child of a
    killed sweep, is tried again.

    Args:
        runs: The runs.
        folder: Folder of the run directories and of their logs.
        jobs: Number of processes at a time.
        on_poll: Called now and then, e.g. to show progress.

    Raises:
        KeyboardInterrupt: the processes have ended after Ctrl-C.
        SystemExit: they have ended after another signal n; the code is 128 + n.
    """
    # Noted, not raised at once: Python drops an exception that arises while it starts a process.
    with Interruption.caught() as interruption:
        ended = _run_all(runs, folder, jobs, on_poll, interruption)
    if interruption.signal == signal.SIGINT:
        raise KeyboardInterrupt("the same command continues the sweep")
    if interruption.signal is not None:
        raise SystemExit(EXIT_CODE + interruption.signal)
    return ended


def _run_all(
    runs: Sequence[Run],
    folder: Path,
    jobs: int,
    on_poll: Callable[[], None],
    interruption: Interruption,
) -> list[Ended]:
    """Runs all until the interruption; returns the ends."""
    waiting, ended = list(runs), list[Ended]()
    working: dict[Run, subprocess.Popen[bytes]] = {}
    first_try: dict[Run, float] = {}
    try:
        while (waiting or working) and not interruption.asked():
            while waiting and len(working) < jobs and not interruption.asked():
                run = waiting.pop(0)
                first_try.setdefault(run, time.monotonic())
                try:
                    working[run] = start(
                        run.algorithm, run.flags, folder / run.name, log_file(folder, run.name)
                    )
                except OSError as error:
                    ended.append(Ended(run=run, code=1, reason=str(error)))
            for run, process in list(working.items()):
                code = process.poll()
                if code is None:
                    continue
                del working[run]
                patient = time.monotonic() - first_try[run] < BUSY_S
                if patient and was_busy(code, log_file(folder, run.name)):
                    waiting.append(run)
                else:
                    ended.append(Ended(run=run, code=code))
            on_poll()
            time.sleep(POLL_S)
    finally:
        for process in working.values():
            process.terminate()
        for process in working.values():
            process.wait()
    return ended


def log_file(folder: Path, name: str) -> Path:
    """Returns the file of the messages of the run ``name``, below the folder of its sweep."""
    return folder / "logs" / f"{name}.log"
