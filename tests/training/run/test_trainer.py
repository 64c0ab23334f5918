"""Training: equal seeds give equal runs, and an interruption does not change a run."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from skill_training.errors import CheckpointError, ConfigError, RunDirectoryError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.recipe import SkillLearner
from skill_training.run import job
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import MetricsLog, read
from skill_training.run.progress import Progress
from skill_training.run.trainer import Trainer

TinyConfig = Callable[..., SkillConfig]


def _never() -> bool:
    return False


def _start(config: SkillConfig, path: Path) -> RunDirectory:
    directory = RunDirectory(path)
    job.start_or_continue(directory, config)
    return directory


def _train(trainer: Trainer, stop: Callable[[], bool] = _never, at: int | None = None) -> bool:
    total = trainer.config.run.env_steps
    with (
        MetricsLog(trainer.directory.path, resume_at=at) as log,
        Progress(total, stream=io.StringIO()) as progress,
    ):
        return trainer.run(log, progress, stop)


def _weights(trainer: Trainer) -> torch.Tensor:
    assert isinstance(trainer.learner, SkillLearner)
    algorithm = trainer.learner.algorithm
    parts = [
        *algorithm.actor.parameters(),
        *algorithm.critic.parameters(),
        *algorithm.representation.parameters(),
    ]
    return torch.cat([part.detach().flatten() for part in parts])


def _steady(path: Path) -> list[dict[str, float]]:
    """The records of a run without times and speeds."""
    return [
        {name: value for name, value in row.items() if not name.startswith(("speed/", "wall"))}
        for row in read(path / "metrics.jsonl")
    ]


@pytest.mark.parametrize("algorithm", ["csf", "metra"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    algorithm: str, tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config(algorithm)
    whole = Trainer(config, _start(config, tmp_path / "whole"))
    assert _train(whole)

    directory = _start(config, tmp_path / "broken")
    first = Trainer(config, directory)
    assert not _train(first, stop=lambda: first.env_steps >= 200)
    assert first.env_steps == 200
    second = Trainer(config, directory)
    second.resume()
    assert second.env_steps == 200
    assert _train(second, at=second.env_steps)

    assert second.updates == whole.updates == (320 - 80) // 8
    assert torch.equal(_weights(second), _weights(whole))
    assert second.final_metrics == whole.final_metrics
    assert _steady(tmp_path / "broken") == _steady(tmp_path / "whole")


def test_another_seed_gives_another_run(tiny_config: TinyConfig, tmp_path: Path) -> None:
    weights: list[torch.Tensor] = []
    for seed in (0, 1):
        config = tiny_config(seed=seed)
        trainer = Trainer(config, _start(config, tmp_path / str(seed)))
        assert _train(trainer)
        weights.append(_weights(trainer))
    assert not torch.equal(*weights)


def test_evaluation_does_not_change_the_run(tiny_config: TinyConfig, tmp_path: Path) -> None:
    weights: list[torch.Tensor] = []
    for interval in (40, 10_000):
        config = tiny_config(eval_interval=interval)
        trainer = Trainer(config, _start(config, tmp_path / str(interval)))
        assert _train(trainer)
        weights.append(_weights(trainer))
    assert torch.equal(*weights)


def test_the_log_has_losses_speeds_and_evaluations(tiny_config: TinyConfig, tmp_path: Path) -> None:
    config = tiny_config()
    trainer = Trainer(config, _start(config, tmp_path / "run"))
    _train(trainer)
    rows = read(tmp_path / "run" / "metrics.jsonl")
    losses = [row["env_steps"] for row in rows if "train/critic/loss" in row]
    evaluations = [row["env_steps"] for row in rows if "eval/octants" in row]
    assert losses == [120, 160, 200, 240, 280, 320]  # the first gradient step is after 80 + 8 steps
    assert evaluations == [160, 320]
    assert {"final/goal_share_5cm", "final/phi_singular_value_ratio"} <= rows[-1].keys()
    assert any((tmp_path / "run" / "tensorboard").iterdir())


def test_a_checkpoint_of_other_networks_is_refused(tiny_config: TinyConfig, tmp_path: Path) -> None:
    csf, metra = tiny_config("csf"), tiny_config("metra")
    directory = _start(csf, tmp_path / "run")
    Trainer(csf, directory).save()
    with pytest.raises(CheckpointError, match="does not fit"):
        Trainer(metra, directory).resume()


def test_a_run_directory_that_cannot_be_written_is_named(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    directory = _start(tiny_config(), tmp_path / "run")
    (directory.path / "metrics.jsonl").mkdir()
    with pytest.raises(RunDirectoryError, match=r"cannot write to .*run"):
        job.train(directory)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_a_device_fails(tiny_config: TinyConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--device cuda: no CUDA device"):
        _start(tiny_config(device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("algorithm", ["csf", "metra"])
def test_a_run_on_cuda_resumes_and_exports(
    algorithm: str, tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config(algorithm, device="cuda")
    directory = _start(config, tmp_path / "run")
    first = Trainer(config, directory)
    assert not _train(first, stop=lambda: first.env_steps >= 200)
    assert job.train(directory)
    assert directory.policy.is_file()
