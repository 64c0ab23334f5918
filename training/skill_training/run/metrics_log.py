"""Metrics of a run: one JSON line per record in metrics.jsonl, and the same for TensorBoard.

Records that cannot be written wait in memory, and the training goes on.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[attr-defined]  # generated
from tensorboard.summary.writer.record_writer import RecordWriter

from skill_proto.files.atomic_file import replace_text
from skill_training.errors import RunDirectoryError
from skill_training.run.session.appended_file import AppendedFile

FILE_NAME = "metrics.jsonl"
STEP = "env_steps"


class MetricsLog:
    """Appends records to ``directory``. A resumed run first drops records after its checkpoint.

    Args:
        directory: Run directory.
        resume_at: Environment steps of the checkpoint from which the run continues, or None for a
            new run.

    Raises:
        OSError: the directory cannot be written.
    """

    def __init__(self, directory: Path, *, resume_at: int | None = None) -> None:
        path = directory / FILE_NAME
        kept: list[dict[str, float]] = []
        if resume_at is not None and path.is_file():
            kept = [row for row in read(path) if row[STEP] <= resume_at]
        _rewrite(path, kept)
        self._file = AppendedFile(path)
        board = directory / "tensorboard"
        # TensorBoard's own purge depends on the order of file names, so all records are rewritten.
        shutil.rmtree(board, ignore_errors=True)
        board.mkdir(exist_ok=True)
        self._board = _Board(board)
        for row in kept:
            self._board.add(int(row[STEP]), {name: row[name] for name in row if name != STEP})

    def write(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Adds one record, without NaN and infinities, which JSON does not have."""
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self._file.write((json.dumps({STEP: env_steps, **finite}) + "\n").encode())
        self._board.add(env_steps, finite)

    def close(self) -> None:
        """Closes both logs."""
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


class _Board:
    """Scalars for TensorBoard, in one event file.

    Its own writer has a thread that ends at the first failure, with the queued records.
    """

    def __init__(self, directory: Path) -> None:
        # TensorBoard takes the files whose names contain 'tfevents'.
        self._file = AppendedFile(directory / f"events.out.tfevents.{int(time.time())}")
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")

    def add(self, env_steps: int, metrics: Mapping[str, float]) -> None:
        """Adds one record."""
        scalars = [{"tag": name, "simple_value": value} for name, value in metrics.items()]
        self._write(step=env_steps, summary={"value": scalars})

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _write(self, **content: object) -> None:
        event = Event(wall_time=time.time(), **content)
        self._records.write(event.SerializeToString())


def _rewrite(path: Path, rows: list[dict[str, float]]) -> None:
    """Replaces the file atomically: a process that is killed here loses no record."""
    replace_text(path, "".join(json.dumps(row) + "\n" for row in rows))


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
