"""Configuration: it survives JSON, refuses what cannot work, and knows its own command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from skill_robots.tasks.tabletop import TabletopConfig
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.cli import parse, train_config
from skill_training.config import (
    RunSettings,
    TrainConfig,
    config_from_json,
    config_to_json,
    differences,
)
from skill_training.errors import ConfigError
from skill_training.representation import RepresentationConfig

TinyConfig = Callable[..., TrainConfig]

UNUSUAL = TrainConfig(
    algorithm=MetraConfig(
        slack=0.01, hidden=(64,), representation=RepresentationConfig(form="mlp", size=3)
    ),
    task=TabletopConfig(mass=(0.1, 4.8), start="high"),
    run=RunSettings(seed=7, env_steps=10),
)


def test_json_keeps_everything(tiny_config: TinyConfig) -> None:
    for config in (UNUSUAL, tiny_config("csf"), TrainConfig(algorithm=CsfConfig())):
        assert config_from_json(config_to_json(config)) == config


def test_the_command_gives_the_configuration_back(tiny_config: TinyConfig) -> None:
    for config in (UNUSUAL, tiny_config("csf", seed=3), TrainConfig(algorithm=MetraConfig())):
        program, *arguments = shlex.split(config.command)
        assert program == "skill-train"
        assert train_config(parse(arguments)) == config


def test_the_default_command_is_short() -> None:
    assert TrainConfig(algorithm=CsfConfig()).command == "skill-train csf --seed 0"


def test_differences_are_named_by_path() -> None:
    before = TrainConfig(algorithm=CsfConfig())
    after = TrainConfig(
        algorithm=CsfConfig(representation=RepresentationConfig(form="linear")),
        run=RunSettings(seed=1),
    )
    assert differences(before, after) == {
        "algorithm.representation.form": ("rotation", "linear"),
        "run.seed": (0, 1),
    }
    assert differences(before, before) == {}


def test_a_misspelt_or_missing_setting_is_refused() -> None:
    plain = json.loads(config_to_json(TrainConfig(algorithm=CsfConfig())))
    plain["run"]["sede"] = 1
    with pytest.raises(ConfigError, match="sede"):
        config_from_json(json.dumps(plain))
    for text in ("[]", "{", "{}", '{"algorithm": {"name": "diayn"}}'):
        with pytest.raises(ConfigError, match="not a configuration"):
            config_from_json(text)


def test_out_of_range_settings_are_refused() -> None:
    for wrong in ({"env_steps": 0}, {"seed": -1}, {"threads": 0}, {"eval_skills": 1}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            RunSettings(**wrong)


def test_a_replay_smaller_than_a_round_is_refused() -> None:
    with pytest.raises(ConfigError, match="3199 is less than one round"):
        TrainConfig(algorithm=CsfConfig(), run=RunSettings(replay_capacity=3199))


@pytest.mark.parametrize(
    ("task", "named"),
    [
        (TabletopConfig(mass=(1.0, 0.5)), "task.mass"),
        (TabletopConfig(friction=(0.0, 0.5)), "task.friction"),
        (TabletopConfig(stiffness_scale=(float("nan"), 1.0)), "task.stiffness-scale"),
        (TabletopConfig(latency_s=(-0.1, 0.0)), "task.latency-s"),
        (TabletopConfig(latency_s=(0.0, 0.036)), r"task.latency-s 0 0\.036 .* 0\.035 s late"),
        (TabletopConfig(physics_step_s=0.006), "task.physics-step-s"),
    ],
)
def test_an_impossible_range_is_refused(task: TabletopConfig, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        TrainConfig(algorithm=CsfConfig(), task=task)


def test_the_longest_latency_that_the_tabletop_can_have_is_accepted() -> None:
    TrainConfig(algorithm=CsfConfig(), task=TabletopConfig(latency_s=(0.0, 0.035)))
