"""Fixtures of the training tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.forked import Training, TrainingServer

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_training.algorithms.context_sac import ContextSac
from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.cli import main
from skill_training.data.episodes import Episodes
from skill_training.device import exact_matmul
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.discovery.config import SkillConfig, SkillRunSettings
from skill_training.recipes.goal.task import RestAtGoal
from skill_training.recipes.skill_aware.task import BringToGoal

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
    """Computes exact products, for comparison with numbers worked out by hand."""
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
def tiny_flags() -> Callable[..., list[str]]:
    """The same run as flags of ``skill-train``, with the training task's noise.

    ``tiny_flags("csf", env_steps=400)``; other settings as in SkillRunSettings.
    """

    def build(algorithm: str, **settings: int) -> list[str]:
        flags = ["--task.episode-steps", "10", f"--{algorithm}.batch-size", "16"]
        flags += [f"--{algorithm}.hidden", "16", "16"]
        for name, value in {**TINY, **settings}.items():
            flags += ["--" + name.replace("_", "-"), str(value)]
        return flags

    return build


@pytest.fixture(scope="session")
def training_server() -> Iterator[TrainingServer]:
    """The process from which trainings are forked."""
    server = TrainingServer()
    yield server
    server.close()


@pytest.fixture
def begin(training_server: TrainingServer, tmp_path: Path) -> Iterator[Callable[..., Training]]:
    """Starts ``skill-train`` in a temporary directory: ``begin("csf", "--seed", "1")``."""
    started: list[Training] = []

    def start(*arguments: str, **options: object) -> Training:
        merged: dict[str, Any] = {"cwd": tmp_path, **options}
        started.append(training_server.start(*arguments, **merged))
        return started[-1]

    yield start
    for training in started:
        training.end()


@pytest.fixture(scope="session")
def skill_train_command() -> list[str]:
    """Command that starts ``skill-train`` as a process."""
    return [sys.executable, "-c", "from skill_training.cli import main; main()"]


@pytest.fixture
def skill_train(begin: Callable[..., Training]) -> Cli:
    """Runs ``skill-train`` to its end, in a temporary directory.

    Standard output and error are one text.
    """

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        training = begin(*arguments)
        status = training.wait()
        return subprocess.CompletedProcess(arguments, status, training.output, training.output)

    return run


@pytest.fixture
def ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Calls ``main``, by default with a mistake; checks the exit status and returns the output."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, status: int = 2) -> str:
        with pytest.raises(SystemExit) as exit_info:
            main(arguments)
        said = "".join(capfd.readouterr())
        assert exit_info.value.code == status, said
        return said

    return call


@pytest.fixture
def make_episodes() -> Callable[..., Episodes]:
    """``make_episodes(count, steps=10, seed=0)``: random episodes with identifiable steps.

    Observations are cube (3), way from hand to cube (3), number of the episode, step; the cube is
    at (number, step / 100). Actions are (number, step, noise). Returns are the episode's number.
    """

    def build(count: int, *, steps: int = 10, first: int = 0, seed: int = 0) -> Episodes:
        generator = torch.Generator().manual_seed(seed)
        number = torch.arange(first, first + count, dtype=torch.float32)
        observation = torch.randn(count, steps + 1, 8, generator=generator)
        observation[..., 6] = number[:, None]
        observation[..., 7] = torch.arange(steps + 1.0)
        observation[..., 0] = observation[..., 6]
        observation[..., 1] = observation[..., 7] / 100
        action = torch.rand(count, steps, 3, generator=generator)
        action[..., 0], action[..., 1] = number[:, None], torch.arange(float(steps))
        return Episodes(
            observation=observation,
            action=action,
            goal=torch.randn(count, steps, 2, generator=generator),
            truth=torch.randn(count, 1, 2, generator=generator).repeat(1, steps + 1, 1),
            hidden=0.1 * torch.randn(count, 8, generator=generator),
            cell=0.1 * torch.randn(count, 8, generator=generator),
            task=number.long() // 4,
            returns=number.clone(),
            demonstrated=torch.zeros(count, steps, dtype=torch.bool),
        )

    return build


@pytest.fixture
def make_sac() -> Callable[..., ContextSac]:
    """A small algorithm for :func:`make_episodes`; ``ends``: reaching a goal ends the episode.

    ``make_sac(ends=True, seed=1, **settings)``; settings as in ContextSacConfig.
    """

    def build(
        *,
        ends: bool = False,
        seed: int = 0,
        step_scale: Sequence[float] = (1.0,) * 8,
        **settings: object,
    ) -> ContextSac:
        small = {"hidden": (16, 16), "episodes_per_block": 6, "batch_size": 64}
        config = ContextSacConfig(
            **{"encoder": EncoderConfig(size=4, hidden=8), **small, **settings}
        )
        rests = RestAtGoal(torch.eye(2), 0)
        brings = BringToGoal(
            cube=0, cube_velocity=3, cube_from_end_effector=3, rest_height=0.02, success_radius=0.05
        )
        return ContextSac(
            config,
            brings if ends else rests,
            scale=[1.0] * 8,
            action_size=3,
            truth_mean=[0.5, -1.0],
            truth_std=[2.0, 0.5],
            step_scale=step_scale,
            seed=seed,
        )

    return build
