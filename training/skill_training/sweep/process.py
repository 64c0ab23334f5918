"""One run of a sweep, in a process of its own that ends with its parent."""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from skill_training.run.metrics_log import FILE_NAME, STEP

START = "from skill_training.entry import main; main()"

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

BUSY_S = 120.0
"""Longest wait for another process to leave a run directory, such as that of a killed sweep, which
ends with a checkpoint [s]."""

BUSY = " is in use: "
"""Words of the refusal of a directory that another process writes."""

TAIL_BYTES = 4096
"""End of a log or of a record of metrics that is read."""


def start(algorithm: str, flags: Sequence[str], run: Path, log: Path) -> subprocess.Popen[bytes]:
    """Starts ``skill-train`` in the run directory, or continues the run there.

    The process gets SIGTERM if its parent dies, so that it saves a checkpoint and frees the
    directory for a second attempt.

    Args:
        algorithm: Name of the algorithm.
        flags: Flags of ``skill-train``.
        run: Run directory.
        log: File for its messages; they are appended.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-c", START, algorithm, *flags, "--run-dir", str(run)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )


def end_with_parent(number: int = signal.SIGTERM) -> None:
    """Has Linux send this process the signal ``number`` when its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def was_busy(code: int, log: Path) -> bool:
    """Returns whether a run was refused because another process writes its directory.

    Args:
        code: Exit status of ``skill-train``.
        log: File of its messages.
    """
    return code == 2 and BUSY in last_line(log)


def last_line(log: Path) -> str:
    """Returns the last line of a log; '' without one.

    Raises:
        OSError: the file cannot be read.
    """
    return "".join(tail(log).strip().splitlines()[-1:])


def env_steps(run: Path) -> int:
    """Returns the environment steps of the newest record of a run; 0 before the first."""
    last = last_record(run)
    return 0 if last is None else int(last.get(STEP, 0))


def last_record(run: Path) -> dict[str, float] | None:
    """Returns the newest whole record of metrics; None without one."""
    try:
        lines = tail(run / FILE_NAME).splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            record: dict[str, float] = json.loads(line)
        except ValueError:  # cut off at the beginning of the tail, or being written
            continue
        if STEP in record:
            return record
    return None


def tail(path: Path) -> str:
    """Returns the end of a file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - TAIL_BYTES))
        return stream.read().decode(errors="replace")
