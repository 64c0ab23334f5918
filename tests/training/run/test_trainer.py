"""Training: equal seeds give equal runs, and an interruption does not change a run."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.support.training_runs import start_run

from skill_training.algorithms.sac import SoftActorCritic
from skill_training.errors import (
    CheckpointError,
    ConfigError,
    DivergedError,
    ExportError,
    RunDirectoryError,
    UnsavedError,
)
from skill_training.nets.finite import check_parts
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.recipe import SkillLearner
from skill_training.run import checkpoint, job
from skill_training.run.metrics_log import MetricsLog, read
from skill_training.run.progress import Progress
from skill_training.run.trainer import Trainer

TinyConfig = Callable[..., SkillConfig]


def _never() -> bool:
    return False


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


@pytest.fixture
def short_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the final evaluation, which takes longer than a tiny training."""
    monkeypatch.setattr(SkillLearner, "evaluate_full", lambda _: {"goal_share_5cm": 0.5})


@pytest.mark.parametrize("algorithm", ["csf", "metra"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    algorithm: str, tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config(algorithm)
    whole = Trainer(config, start_run(config, tmp_path / "whole"))
    assert _train(whole)

    directory = start_run(config, tmp_path / "broken")
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
        trainer = Trainer(config, start_run(config, tmp_path / str(seed)))
        assert _train(trainer)
        weights.append(_weights(trainer))
    assert not torch.equal(*weights)


def test_evaluation_does_not_change_the_run(tiny_config: TinyConfig, tmp_path: Path) -> None:
    weights: list[torch.Tensor] = []
    for interval in (40, 10_000):
        config = tiny_config(eval_interval=interval)
        trainer = Trainer(config, start_run(config, tmp_path / str(interval)))
        assert _train(trainer)
        weights.append(_weights(trainer))
    assert torch.equal(*weights)


def test_the_log_has_losses_speeds_and_evaluations(tiny_config: TinyConfig, tmp_path: Path) -> None:
    config = tiny_config()
    trainer = Trainer(config, start_run(config, tmp_path / "run"))
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
    directory = start_run(csf, tmp_path / "run")
    Trainer(csf, directory).save()
    with pytest.raises(CheckpointError, match="does not fit"):
        Trainer(metra, directory).resume()


def test_a_run_directory_that_cannot_be_written_is_named(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    directory = start_run(tiny_config(), tmp_path / "run")
    (directory.path / "metrics.jsonl").mkdir()
    with pytest.raises(RunDirectoryError, match=r"cannot write to .*run"):
        job.train(directory)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_a_device_fails(tiny_config: TinyConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--device cuda: no CUDA device"):
        start_run(tiny_config(device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("algorithm", ["csf", "metra"])
def test_a_run_on_cuda_resumes_and_exports(
    algorithm: str, tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config(algorithm, device="cuda")
    directory = start_run(config, tmp_path / "run")
    first = Trainer(config, directory)
    assert not _train(first, stop=lambda: first.env_steps >= 200)
    assert job.train(directory)
    assert directory.policy.is_file()


@pytest.mark.usefixtures("short_end")
def test_a_longer_run_equals_one_of_that_length_from_the_start(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    short, long = tiny_config(), tiny_config(env_steps=480)
    directory = start_run(short, tmp_path / "run")
    assert _train(Trainer(short, directory))
    longer = Trainer(long, directory)
    longer.resume()
    assert longer.env_steps == 320
    assert not longer.finished
    assert _train(longer, at=longer.env_steps)
    whole = Trainer(long, start_run(long, tmp_path / "whole"))
    assert _train(whole)
    assert torch.equal(_weights(longer), _weights(whole))
    steady = [row for row in _steady(tmp_path / "run") if row["env_steps"] != 320]
    assert steady == [row for row in _steady(tmp_path / "whole") if row["env_steps"] != 320]


@pytest.mark.usefixtures("short_end")
def test_a_finished_run_of_an_older_release_has_no_replay_to_go_on_with(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    directory = start_run(tiny_config(), tmp_path / "run")
    trainer = Trainer(tiny_config(), directory)
    assert _train(trainer)
    state = trainer.state_dict()
    state["learner"]["replay"] = None
    checkpoint.save(directory.checkpoint, state)
    again = Trainer(tiny_config(), directory)
    again.resume()
    assert again.finished
    with pytest.raises(CheckpointError, match="older release, which left out the replay"):
        Trainer(tiny_config(env_steps=480), directory).resume()


def test_a_state_of_another_kind_of_device_is_continued(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    """The generators of a run on CUDA have another state; all other tensors move."""
    directory = start_run(tiny_config(), tmp_path / "run")
    first = Trainer(tiny_config(), directory)
    assert not _train(first, stop=lambda: first.env_steps >= 200)
    state = first.state_dict()
    state["learner"]["batches"] = state["learner"]["algorithm"]["generator"] = torch.arange(
        16, dtype=torch.uint8
    )
    checkpoint.save(directory.checkpoint, state)
    weights: list[torch.Tensor] = []
    for _ in range(2):
        second = Trainer(tiny_config(), directory)
        second.resume()
        assert not _train(second, stop=lambda it=second: it.env_steps >= 240, at=200)
        weights.append(_weights(second))
        checkpoint.save(directory.checkpoint, state)
    assert torch.equal(*weights)


def test_a_signal_in_the_final_evaluation_ends_it_at_once(
    tiny_config: TinyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(checkpoint_interval=10_000)
    directory = start_run(config, tmp_path / "run")

    def interrupted(learner: SkillLearner) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        return {"never": 0.0}

    with monkeypatch.context() as patch:
        patch.setattr(SkillLearner, "evaluate_full", interrupted)
        assert not job.train(directory)
    assert directory.facts()["sessions"][0]["end"] == "SIGTERM"
    again = Trainer(config, directory)
    again.resume()
    assert again.env_steps == 320  # saved before the evaluation
    assert not again.finished


@pytest.mark.parametrize("part", ["critic", "actor_optimizer"])
def test_a_number_that_is_not_finite_stops_the_run(
    part: str, tiny_config: TinyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check depends neither on the log interval nor on the losses of that step."""
    config = tiny_config(log_interval=10_000, checkpoint_interval=40)
    directory = start_run(config, tmp_path / "run")
    trainer = Trainer(config, directory)
    whole_update = SkillLearner.update

    def poisoned(learner: SkillLearner) -> dict[str, torch.Tensor]:
        losses = whole_update(learner)
        if learner.env_steps == 200:
            target = learner.algorithm.stateful()[part]
            tensors = (
                [next(iter(target.parameters()))]
                if isinstance(target, torch.nn.Module)
                else [value["exp_avg_sq"] for value in target.state.values()]
            )
            with torch.no_grad():
                tensors[0].flatten()[0] = float("inf")
        return losses

    monkeypatch.setattr(SkillLearner, "update", poisoned)
    with pytest.raises(DivergedError, match=r"gradient step 1\d"):
        _train(trainer)
    kept = Trainer(config, directory)
    kept.resume()
    assert kept.env_steps == 160
    check_parts(kept.learner.stateful())


def test_an_action_that_is_not_finite_never_reaches_the_physics(
    tiny_config: TinyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(tiny_config(), start_run(tiny_config(), tmp_path / "run"))

    def act(
        self: SoftActorCritic, observation: torch.Tensor, *_: object, **__: object
    ) -> torch.Tensor:
        return torch.full((len(observation), 3), float("nan"))

    monkeypatch.setattr(SoftActorCritic, "act", act)
    with pytest.raises(DivergedError, match="an action of the policy is nan"):
        _train(trainer)


@pytest.mark.usefixtures("short_end")
def test_a_policy_that_cannot_be_written_is_exported_by_the_advice(
    tiny_config: TinyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = start_run(tiny_config(), tmp_path / "run")

    def full(*_: object) -> None:
        raise ExportError("cannot write policy.onnx: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("skill_training.run.policy_export.export_policy", full)
        resume = f"Export it again with: skill-train csf --resume {directory.path}"
        with pytest.raises(UnsavedError, match=f"No space left.*step 320 is kept.*{resume}"):
            job.train(directory)
    assert job.train(directory)
    assert directory.policy.is_file()
    assert directory.facts()["exported_env_steps"] == 320
    assert len(directory.facts()["sessions"]) == 1  # the second process did not train
