"""The metrics log: complete records, and a resumed run overwrites repeated steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from skill_training.errors import RunDirectoryError
from skill_training.run.metrics_log import MetricsLog, read


def _log(directory: Path, steps: range, resume_at: int | None = None, factor: int = 1) -> None:
    with MetricsLog(directory, resume_at=resume_at) as log:
        for step in steps:
            log.write(step, {"loss": float(factor * step)})


def test_records_come_back_in_order(tmp_path: Path) -> None:
    _log(tmp_path, range(3))
    assert read(tmp_path / "metrics.jsonl") == [
        {"env_steps": step, "loss": float(step)} for step in range(3)
    ]


def test_a_resumed_log_drops_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    _log(tmp_path, range(5))
    _log(tmp_path, range(3, 6), resume_at=2, factor=10)
    rows = read(tmp_path / "metrics.jsonl")
    assert [row["loss"] for row in rows] == [0, 1, 2, 30, 40, 50]


def test_tensorboard_shows_the_resumed_values(tmp_path: Path) -> None:
    _log(tmp_path, range(5))
    _log(tmp_path, range(3, 6), resume_at=2, factor=10)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("loss")
    assert [(event.step, event.value) for event in events] == [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 30),
        (4, 40),
        (5, 50),
    ]


def test_a_new_run_starts_an_empty_log(tmp_path: Path) -> None:
    _log(tmp_path, range(5))
    _log(tmp_path, range(1))
    assert len(read(tmp_path / "metrics.jsonl")) == 1


def test_a_last_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    _log(tmp_path, range(2))
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text() + '{"env_steps": 2, "lo')
    assert len(read(path)) == 2
    _log(tmp_path, range(2, 3), resume_at=1)
    assert [row["env_steps"] for row in read(path)] == [0, 1, 2]


def test_values_that_json_lacks_are_left_out(tmp_path: Path) -> None:
    with MetricsLog(tmp_path) as log:
        log.write(1, {"good": 2.0, "bad": float("nan"), "worse": float("inf")})
    assert read(tmp_path / "metrics.jsonl") == [{"env_steps": 1, "good": 2.0}]


@pytest.mark.parametrize("text", ['{"loss": 1}\n', "[1]\n", "x\n{}\n"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(text)
    with pytest.raises(RunDirectoryError, match="line 1"):
        read(path)


def test_a_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"no metrics\.jsonl in"):
        read(tmp_path / "metrics.jsonl")
