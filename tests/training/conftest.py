"""Fixtures of the training tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skill_robots.tasks.tabletop import TabletopConfig
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.matmul import exact_matmul
from skill_training.skill_config import SkillConfig, SkillRunSettings

TINY: dict[str, int] = {
    "n_envs": 4,
    "env_steps": 320,
    "warmup_steps": 80,
    "env_steps_per_update": 8,
    "replay_capacity": 200,
    "log_interval": 40,
    "eval_interval": 160,
    "eval_skills": 4,
    "final_eval_goals": 2,
    "checkpoint_interval": 80,
}
"""A run of a second: eight rounds of four scenes with ten steps each."""

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """Numbers computed by hand need exact products, whatever a test before has configured."""
    with exact_matmul():
        yield


@pytest.fixture
def tiny_config() -> Callable[..., SkillConfig]:
    """A run of a second: ``tiny_config("metra", seed=1)``; settings as in SkillRunSettings."""

    def build(algorithm: str = "csf", **settings: object) -> SkillConfig:
        kind = {"csf": CsfConfig, "metra": MetraConfig}[algorithm]
        return SkillConfig(
            algorithm=kind(hidden=(16, 16), batch_size=16),
            task=TabletopConfig(episode_steps=10, start="mixed", sensor_noise=1.0),
            run=SkillRunSettings(**{**TINY, **settings}),
        )

    return build


@pytest.fixture(scope="session")
def tiny_flags() -> Callable[[str], list[str]]:
    """The same run as flags of ``skill-train``, with the training task's noise."""

    def build(algorithm: str) -> list[str]:
        flags = ["--task.episode-steps", "10", f"--{algorithm}.batch-size", "16"]
        flags += [f"--{algorithm}.hidden", "16", "16"]
        for name, value in TINY.items():
            flags += ["--" + name.replace("_", "-"), str(value)]
        return flags

    return build


@pytest.fixture(scope="session")
def skill_train_command() -> list[str]:
    """How to start ``skill-train`` as a process of its own."""
    return [sys.executable, "-c", "from skill_training.cli import main; main()"]


@pytest.fixture
def skill_train(tmp_path: Path, skill_train_command: list[str]) -> Cli:
    """Runs ``skill-train`` with these arguments in a directory of its own, to its end."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*skill_train_command, *arguments],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run
