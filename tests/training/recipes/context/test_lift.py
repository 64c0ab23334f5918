"""``skill-train context --world panda_lift``."""

from __future__ import annotations

from dataclasses import replace

import pytest

from skill_robots.worlds.lift.config import LiftConfig
from skill_training.cli import Train, parse, train_config
from skill_training.config import config_to_json
from skill_training.errors import ConfigError
from skill_training.recipes.context.config import ContextConfig, default_context_config
from skill_training.recipes.context.evaluation import context_sets
from skill_training.recipes.context.recipe import ContextRecipe
from skill_training.run.config_io import config_from_json, shortest_command


def test_the_lift_is_a_world_of_the_recipe() -> None:
    command = parse(["context", "--world", "panda_lift", "--task.squeeze-cost", "0.3"])
    assert isinstance(command, Train)
    config = train_config(command)
    assert isinstance(config, ContextConfig)
    assert (config.world, config.task) == ("panda_lift", LiftConfig(squeeze_cost=0.3))
    assert (config.run.window, config.algorithm.discount) == (30, 0.95)
    assert config_from_json(config_to_json(config)) == config
    assert shortest_command(config).endswith("--world panda_lift --seed 0 --task.squeeze-cost 0.3")
    ContextRecipe().check(config)


def test_its_masses_have_two_tests() -> None:
    task = LiftConfig(squeeze_cost=0.3)
    sets = context_sets(task)
    assert list(sets) == ["train", "moderate", "extreme"]
    assert sets["extreme"] == LiftConfig(squeeze_cost=0.3, contexts="extreme")


def test_a_test_is_not_for_training() -> None:
    with pytest.raises(ConfigError, match=r"--task.contexts extreme is a set for tests"):
        ContextConfig(task=LiftConfig(contexts="extreme"))


def test_a_window_must_divide_its_episode() -> None:
    default = default_context_config("panda_lift")
    config = replace(default, run=replace(default.run, window=50))
    with pytest.raises(ConfigError, match="--window 50 does not divide the 60 control steps"):
        ContextRecipe().check(config)
