"""Metrics of a run: one JSON line per record in metrics.jsonl, and the same for TensorBoard."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from torch.utils.tensorboard import SummaryWriter

from skill_training.errors import RunDirectoryError

FILE_NAME = "metrics.jsonl"
STEP = "env_steps"


class MetricsLog:
    """Appends records to ``directory``. A resumed run first drops records after its checkpoint.

    Args:
        directory: Run directory.
        resume_at: Environment steps of the checkpoint from which the run continues, or None for a
            new run.
    """

    def __init__(self, directory: Path, *, resume_at: int | None = None) -> None:
        path = directory / FILE_NAME
        kept: list[dict[str, float]] = []
        if resume_at is not None and path.is_file():
            kept = [row for row in read(path) if row[STEP] <= resume_at]
        _rewrite(path, kept)
        self._file = path.open("a", encoding="utf-8")
        board = directory / "tensorboard"
        # TensorBoard's own purge depends on the order of file names, so all records are rewritten.
        shutil.rmtree(board, ignore_errors=True)
        self._board = SummaryWriter(str(board))
        for row in kept:
            self._show(int(row[STEP]), {name: row[name] for name in row if name != STEP})

    def write(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Adds one record, without NaN and infinities, which JSON does not have."""
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self._file.write(json.dumps({STEP: env_steps, **finite}) + "\n")
        self._file.flush()
        self._show(env_steps, finite)

    def _show(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._board.add_scalar(name, value, env_steps)

    def close(self) -> None:
        """Flushes and closes both logs."""
        self._file.close()
        self._board.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _rewrite(path: Path, rows: list[dict[str, float]]) -> None:
    """Replaces the file atomically: a process that is killed here loses no record."""
    temporary = path.with_name(path.name + ".writing")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    temporary.replace(path)


def read(path: Path) -> list[dict[str, float]]:
    """Returns all records of a metrics.jsonl, without an incomplete last line.

    Raises:
        RunDirectoryError: the file is missing, or another line is not a record.
    """
    if not path.is_file():
        raise RunDirectoryError(f"there is no {path.name} in {path.parent}; give a run directory")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows: list[dict[str, float]] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError:
            if number == len(lines):
                break
            row = None
        if not isinstance(row, dict) or STEP not in row:
            raise RunDirectoryError(f"{path}, line {number} is not a record of metrics")
        rows.append(row)
    return rows
