"""--keep-best: the exported policy is that of the best evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.support.training_runs import start_run, train

from skill_runtime.policy import load_manifest
from skill_training.errors import ConfigError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.recipe import SkillLearner
from skill_training.run import checkpoint, job
from skill_training.run.policy_export import export
from skill_training.run.trainer import Trainer

TinyConfig = Callable[..., SkillConfig]

OCTANTS = [3.0, 7.0, 5.0, 4.0, 6.0]
"""Evaluations after 80, 160, 240, 320 and 400 steps; the second one is the best."""


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the evaluations, and leaves out the final one, which takes longer than the training."""
    by_steps = {80 * (i + 1): value for i, value in enumerate(OCTANTS)}

    def quick(learner: SkillLearner) -> dict[str, float]:
        return {"octants": by_steps[learner.env_steps]}

    def full(learner: SkillLearner) -> dict[str, float]:
        return {"weight": _weight(learner)}

    monkeypatch.setattr(SkillLearner, "evaluate_quick", quick)
    monkeypatch.setattr(SkillLearner, "evaluate_full", full)


def _weight(learner: SkillLearner) -> float:
    """Returns a number that tells the actors of two times apart."""
    return _weight_of(learner.algorithm.actor.state_dict())


def _weight_of(state: dict[str, torch.Tensor]) -> float:
    return float(sum(part.double().sum() for part in state.values()))


def _config(tiny_config: TinyConfig, **settings: object) -> SkillConfig:
    return tiny_config(eval_interval=80, keep_best="octants", **settings)


@pytest.mark.usefixtures("scores")
def test_the_best_policy_is_evaluated_and_exported(tiny_config: TinyConfig, tmp_path: Path) -> None:
    short = tiny_config(env_steps=160, eval_interval=80)
    at_160 = Trainer(short, start_run(short, tmp_path / "short"))
    train(at_160)
    assert isinstance(at_160.learner, SkillLearner)
    directory = start_run(_config(tiny_config), tmp_path / "run")
    assert job.train(directory)

    state = checkpoint.load(directory.checkpoint)
    assert state["env_steps"] == 320
    assert state["best"]["env_steps"] == 160
    assert state["best"]["value"] == 7.0
    assert state["final_metrics"] == {"weight": pytest.approx(_weight(at_160.learner))}
    last = state["learner"]["algorithm"]["actor"]
    assert _weight_of(last) != pytest.approx(_weight(at_160.learner))
    manifest = load_manifest(directory.policy)
    assert manifest.provenance.environment_steps == 160
    assert manifest.provenance.gradient_steps == (160 - 80) // 8
    card = directory.policy.with_suffix(".md").read_text()
    assert "160 of 320 environment steps, at whose evaluation `octants` was largest: 7." in card


@pytest.mark.usefixtures("scores")
def test_with_overlap_the_kept_policy_is_the_one_that_was_evaluated(
    tiny_config: TinyConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, float]] = []

    def quick(learner: SkillLearner) -> dict[str, float]:
        seen.append((learner.env_steps, _weight(learner)))
        return {"octants": OCTANTS[len(seen) - 1]}

    monkeypatch.setattr(SkillLearner, "evaluate_quick", quick)
    directory = start_run(_config(tiny_config, overlap=True), tmp_path / "run")
    assert job.train(directory)
    steps, weight = seen[1]
    state = checkpoint.load(directory.checkpoint)
    assert state["best"]["env_steps"] == steps
    assert state["final_metrics"] == {"weight": pytest.approx(weight)}
    assert weight != pytest.approx(seen[0][1])


@pytest.mark.usefixtures("scores")
def test_an_interrupted_run_remembers_its_best_policy(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = _config(tiny_config, env_steps=400)
    whole = Trainer(config, start_run(config, tmp_path / "whole"))
    train(whole)
    directory = start_run(config, tmp_path / "broken")
    train(Trainer(config, directory), until=240)
    again = Trainer(config, directory)
    again.resume()
    train(again, at=again.env_steps)
    assert again.best.state is not None
    assert again.best.state["env_steps"] == 160
    assert again.final_metrics == whole.final_metrics


@pytest.mark.usefixtures("scores")
def test_keeping_a_policy_does_not_change_the_training(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    weights: list[float] = []
    for name, config in (
        ("kept", _config(tiny_config)),
        ("last", tiny_config(eval_interval=80)),
    ):
        trainer = Trainer(config, start_run(config, tmp_path / name))
        train(trainer)
        assert isinstance(trainer.learner, SkillLearner)
        weights.append(_weight(trainer.learner))
    assert weights[0] == weights[1]


@pytest.mark.usefixtures("scores")
def test_a_session_may_begin_to_keep_the_best_policy(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config(eval_interval=80, env_steps=400)
    directory = start_run(config, tmp_path / "run")
    train(Trainer(config, directory), until=160)
    assert job.train(directory, {"keep_best": "octants"})
    assert load_manifest(directory.policy).provenance.environment_steps == 400


@pytest.mark.usefixtures("scores")
@pytest.mark.parametrize("metric", [None, "displacement_r2"])
def test_another_metric_forgets_the_policy_of_the_first(
    metric: str | None, tiny_config: TinyConfig, tmp_path: Path
) -> None:
    directory = start_run(_config(tiny_config), tmp_path / "run")
    assert job.train(directory)
    other = Trainer(tiny_config(keep_best=metric), directory)
    other.resume()
    assert other.best.state is None


@pytest.mark.usefixtures("scores")
def test_a_policy_without_the_flag_is_the_last_one(tiny_config: TinyConfig, tmp_path: Path) -> None:
    directory = start_run(tiny_config(eval_interval=80), tmp_path / "run")
    assert job.train(directory)
    assert load_manifest(directory.policy).provenance.environment_steps == 320
    export(directory, tmp_path / "named.onnx")
    assert "## Selection" not in (tmp_path / "named.md").read_text()


def test_a_metric_that_no_run_of_the_kind_has_is_refused(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config(keep_best="succes.train")
    with pytest.raises(ConfigError, match=r"succes\.train: .*they have moved_share_10cm"):
        start_run(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_card_of_a_run_before_its_first_evaluation_names_no_choice(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config(keep_best="octants", eval_interval=160)
    directory = start_run(config, tmp_path / "run")
    train(Trainer(config, directory), until=80)
    export(directory, tmp_path / "early.onnx")
    assert "## Selection" not in (tmp_path / "early.md").read_text()


def test_a_run_without_an_evaluation_has_no_best_policy(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config(keep_best="octants", eval_interval=400)
    with pytest.raises(ConfigError, match="--eval-interval 400 is more than --env-steps 320"):
        start_run(config, tmp_path / "run")


def test_a_metric_that_the_world_does_not_have_ends_the_run_with_a_checkpoint(
    tiny_config: TinyConfig, tmp_path: Path
) -> None:
    config = tiny_config(eval_interval=80, keep_best="coverage_cells")
    directory = start_run(config, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"they have .*octants"):
        job.train(directory)
    assert checkpoint.load(directory.checkpoint)["env_steps"] == 80
