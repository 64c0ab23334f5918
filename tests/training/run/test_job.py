"""Runs whose world fails, and finished runs that cannot go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.robots.worlds.environments import Point

import skill_training
from skill_training.errors import RunDirectoryError, WorldFailedError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.run.directory import RunDirectory


class Fragile(Point):
    """A point whose robot is lost after a number of steps of all scenes."""

    left = 10**9

    def step(self, action: Any) -> Any:  # noqa: ANN401  as in Gymnasium
        """Runs a step, or fails."""
        Fragile.left -= 1
        if Fragile.left < 0:
            raise ConnectionError("robot lost")
        return super().step(action)


@pytest.fixture
def run(
    tiny_config: Callable[..., SkillConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> RunDirectory:
    """A run of a second in the environment Fragile."""
    monkeypatch.setattr(Fragile, "left", 10**9)
    config = skill_training.default_config("csf", f"{__name__}:Fragile")
    tiny = tiny_config()
    algorithm = replace(config.algorithm, hidden=(16, 16), batch_size=16)
    task = replace(config.task, episode_steps=10)
    directory = RunDirectory(tmp_path / "run")
    skill_training.start_or_continue(
        directory, replace(config, algorithm=algorithm, task=task, run=tiny.run)
    )
    return directory


def test_a_world_that_fails_is_named_and_the_run_goes_on_once_it_works(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fragile, "left", 300)
    with pytest.raises(WorldFailedError) as failed:
        skill_training.train(run)
    text = str(failed.value)
    assert "fails in its step: ConnectionError: robot lost (test_job.py, line" in text
    assert f"is kept. Correct this, then continue with: skill-train csf --resume {run.path}" in text
    assert run.facts()["sessions"][-1]["end"] == "failed"
    monkeypatch.setattr(Fragile, "left", 10**9)
    assert skill_training.train(run)
    assert run.policy.is_file()


def test_a_world_that_fails_before_a_checkpoint_is_named(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fragile, "left", 5)
    with pytest.raises(WorldFailedError, match=r"no earlier checkpoint.*then begin a new run"):
        skill_training.train(run)


def test_a_finished_run_without_its_checkpoint_is_not_trained_again(run: RunDirectory) -> None:
    assert skill_training.train(run)
    run.checkpoint.unlink()
    before = np.frombuffer(run.policy.read_bytes(), np.uint8)
    with pytest.raises(RunDirectoryError, match=r"a finished run without checkpoint\.pt"):
        skill_training.train(run, {"env_steps": 640})
    np.testing.assert_array_equal(before, np.frombuffer(run.policy.read_bytes(), np.uint8))
