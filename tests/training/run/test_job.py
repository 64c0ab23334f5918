"""Runs whose world fails, whose directory is deleted, or which cannot go on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.robots.worlds.environments import Point

import skill_training
from skill_training.errors import ConfigError, RunDirectoryError, UnsavedError, WorldFailedError
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


def test_a_session_that_leaves_no_gradient_step_is_refused(run: RunDirectory) -> None:
    before = run.config()
    with pytest.raises(ConfigError, match=r"--env-steps 5 leaves no gradient step.* 88 or more"):
        skill_training.train(run, {"env_steps": 5})
    assert run.config() == before
    assert "sessions" not in run.facts()
    assert not run.policy.exists()


def test_a_run_that_older_releases_made_too_short_is_refused_until_it_is_lengthened(
    run: RunDirectory,
) -> None:
    config = run.config()
    run.write_config(replace(config, run=replace(config.run, env_steps=5)))
    with pytest.raises(ConfigError, match="leaves no gradient step"):
        skill_training.train(run)
    assert skill_training.train(run, {"env_steps": 120})


def test_a_trained_run_ends_at_any_later_step(run: RunDirectory) -> None:
    """A run with a gradient step has one, whatever is left to train."""
    config = run.config()
    assert skill_training.train(run)
    long = replace(config.run, warmup_steps=10_000)
    run.write_config(replace(config, run=long))
    assert skill_training.train(run, {"env_steps": 360})


def test_a_deleted_directory_ends_the_session_at_its_next_checkpoint(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    steps = 0
    step = Fragile.step

    def delete(self: Fragile, action: Any) -> Any:  # noqa: ANN401  as in Gymnasium
        nonlocal steps
        steps += 1
        if steps == 500:  # after the checkpoint of step 80, of which a round may be evaluation
            assert run.checkpoint.is_file()
            shutil.rmtree(run.path)
        return step(self, action)

    monkeypatch.setattr(Fragile, "step", delete)
    with pytest.raises(UnsavedError) as ended:
        skill_training.train(run, {"env_steps": 10**6})
    said = str(ended.value)
    assert said.startswith(f"the run directory {run.path} is gone, and nothing of the run is kept")
    assert "space" not in said
    assert "--resume" not in said
    assert steps < 4000
    assert not [message for message in caplog.messages if "not recorded" in message]


def test_a_checkpoint_that_was_deleted_is_not_said_to_be_kept(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Fragile.step

    def delete(self: Fragile, action: Any) -> Any:  # noqa: ANN401  as in Gymnasium
        if run.checkpoint.is_file():
            run.checkpoint.unlink()
            monkeypatch.setattr(Fragile, "left", 5)
        return step(self, action)

    monkeypatch.setattr(Fragile, "step", delete)
    with pytest.raises(WorldFailedError, match=r"step \d+ is gone\. .* begin a new run$"):
        skill_training.train(run)
