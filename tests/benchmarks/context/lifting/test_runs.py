"""Policies of runs of the lift, and runs that are refused in one line."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.context.lifting.episodes import record
from benchmarks.context.lifting.runs import RunPolicy
from tests.support.training_runs import start_run

from skill_robots.worlds.lift.config import LiftConfig
from skill_robots.worlds.lift.world import LiftWorld
from skill_robots.worlds.varied.world import VariedConfig
from skill_runtime.console.flags import UsageError
from skill_training.algorithms.context_sac_config import Knowledge
from skill_training.config import TrainConfig
from skill_training.recipes.context.config import ContextConfig, default_context_config
from skill_training.recipes.context.evaluation import roll_out
from skill_training.recipes.context.quantities import HiddenQuantities
from skill_training.recipes.context.recipe import ContextRecipe, ContextWorldLearner
from skill_training.recipes.registry import default_config
from skill_training.run import checkpoint

SCENES, SEED = 4, 7


def lift(knowledge: Knowledge = "inferred", steps: int = 60) -> ContextConfig:
    config = default_context_config("panda_lift")
    return replace(
        config,
        algorithm=replace(config.algorithm, knowledge=knowledge),
        task=LiftConfig(episode_steps=steps),
        run=replace(config.run, objective="none"),
    )


def untrained(config: ContextConfig, path: Path) -> ContextWorldLearner:
    """Returns the learner of a run that has a checkpoint and no training."""
    directory = start_run(config, path)
    learner = ContextRecipe().build_learner(config, torch.device("cpu"))
    checkpoint.save(directory.checkpoint, {"learner": learner.state_dict()})
    return learner


@pytest.mark.parametrize("knowledge", ["inferred", "told", "untold"])
def test_episodes_are_those_of_the_recipes_own_evaluation(
    knowledge: Knowledge, tmp_path: Path
) -> None:
    learner = untrained(lift(knowledge), tmp_path)
    policy = RunPolicy(tmp_path)
    lifts = record(policy, policy.task, SCENES, SEED)
    with closing(LiftWorld(policy.task, SCENES, seed=SEED)) as world:
        quantities = HiddenQuantities.from_state_dict(learner.state_dict()["quantities"])
        expected = roll_out(learner.algorithm, world, quantities)
    np.testing.assert_allclose(lifts.reward.sum(axis=1), expected.returns, rtol=1e-6)
    assert lifts.reward.sum() > 0.0
    if knowledge == "inferred":
        assert lifts.estimates is not None
        held = lifts.held[:, -1]
        np.testing.assert_allclose(lifts.estimates[held, -1], expected.estimates[held, 0])
    else:
        assert lifts.estimates is None


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as exit_info:
        RunPolicy(path)
    text = str(exit_info.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path)


def test_a_run_of_another_world_is_refused(tmp_path: Path) -> None:
    untrained(ContextConfig(task=VariedConfig(body="varied_half_cheetah")), tmp_path)
    assert "no run of skill-train context --world panda_lift" in refusal(tmp_path)


def test_a_run_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    config: TrainConfig = default_config("context", world="panda_lift")
    start_run(config, tmp_path)
    assert "no checkpoint" in refusal(tmp_path)


def test_a_run_with_short_episodes_is_refused(tmp_path: Path) -> None:
    untrained(lift(steps=30), tmp_path)
    assert "episodes of 30 steps, and the scores need 60" in refusal(tmp_path)
