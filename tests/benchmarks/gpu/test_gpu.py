"""The comparison of devices: its commands run, and its numbers are those of the log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from benchmarks.gpu.__main__ import Config, main, outcomes
from benchmarks.gpu.kinds import KINDS, Kind, read_speed, train


def test_the_speeds_are_those_of_the_last_record_that_has_them(tmp_path: Path) -> None:
    records = [
        {"speed/updates_per_s": 1.0, "speed/env_steps_per_s": 2.0, "wall_time_s": 3.0},
        {"speed/updates_per_s": 4.0, "speed/env_steps_per_s": 5.0, "wall_time_s": 6.0},
        {"eval/coverage_cells": 7.0},
    ]
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    speed = read_speed(path)
    assert (speed.updates_per_s, speed.env_steps_per_s, speed.wall_s) == (4.0, 5.0, 6.0)


def test_outcomes_of_the_tests_are_read() -> None:
    line = "2 failed, 7 passed, 1 skipped, 3000 deselected, 1 error in 3.10s"
    assert outcomes(line) == {"failed": 2, "passed": 7, "skipped": 1, "error": 1}


@pytest.mark.usefixtures("no_cuda")
def test_a_machine_without_cuda_is_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert not torch.cuda.is_available()
    assert main(Config()) == 2
    assert "torch finds no CUDA device here. Fix: " in capsys.readouterr().err


def test_a_training_that_fails_says_why() -> None:
    speed = train(Kind(title="", flags="csf --csf.hidden 0", env_steps=3200), "cpu")
    assert speed.updates_per_s is None
    assert "hidden" in speed.error


@pytest.mark.slow
def test_a_training_has_speeds() -> None:
    speed = train(KINDS[0], "cpu", 6400)
    assert speed.error == ""
    assert speed.updates_per_s is not None
    assert speed.updates_per_s > 1
