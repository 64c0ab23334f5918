"""Configuration: JSON, command line, and refusal of impossible settings."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import onnxruntime as ort
import pytest
from pydantic import ValidationError

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.cli import parse, train_config
from skill_training.config import (
    RunSettings,
    TrainConfig,
    config_to_dict,
    config_to_json,
    differences,
)
from skill_training.errors import ConfigError
from skill_training.nets.representation import RepresentationConfig
from skill_training.recipes.discovery.config import SkillConfig, SkillRunSettings
from skill_training.recipes.registry import RECIPES, default_config
from skill_training.run.config_io import config_from_json, flags_between, shortest_command

TinyConfig = Callable[..., SkillConfig]
SettingsT = TypeVar("SettingsT")

MODELS = Path(__file__).resolve().parents[2] / "models"

NAMES = [name for recipe in RECIPES for name in recipe.config_types]

UNUSUAL = SkillConfig(
    algorithm=MetraConfig(
        slack=0.01, hidden=(64,), representation=RepresentationConfig(form="mlp", size=3)
    ),
    task=TabletopConfig(mass=(0.1, 4.8), start="high"),
    run=SkillRunSettings(seed=7, env_steps=10),
)


def test_json_keeps_everything(tiny_config: TinyConfig) -> None:
    for config in (UNUSUAL, tiny_config("csf"), SkillConfig(algorithm=CsfConfig())):
        assert config_from_json(config_to_json(config)) == config


def test_the_command_gives_the_configuration_back(tiny_config: TinyConfig) -> None:
    for config in (UNUSUAL, tiny_config("csf", seed=3), SkillConfig(algorithm=MetraConfig())):
        program, *arguments = shlex.split(shortest_command(config))
        assert program == "skill-train"
        assert train_config(parse(arguments)) == config


def test_the_default_command_is_short() -> None:
    assert shortest_command(SkillConfig(algorithm=CsfConfig())) == "skill-train csf --seed 0"


@pytest.mark.parametrize("name", NAMES)
def test_every_algorithm_runs_without_flags(name: str) -> None:
    config = default_config(name)
    assert config.algorithm_name == name
    assert shortest_command(config) == f"skill-train {name} --seed 0"
    assert train_config(parse([name])) == config
    assert config_from_json(config_to_json(config)) == config


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_has_a_flag_that_the_command_knows(name: str) -> None:
    default = default_config(name)
    config = replace(
        default,
        algorithm=_altered(default.algorithm),
        task=_altered(default.task),
        run=replace(default.run, seed=3, threads=2, replay_capacity=1_234_567),
    )
    changed = {path.partition(".")[0] for path in differences(default, config)}
    assert changed == {"algorithm", "task", "run"}
    assert train_config(parse(shlex.split(shortest_command(config))[1:])) == config


def _altered(settings: SettingsT) -> SettingsT:
    """The same settings with every bool inverted and every float slightly smaller."""
    changes: dict[str, object] = {}
    for field in fields(cast("Any", settings)):
        value = getattr(settings, field.name)
        if isinstance(value, bool):
            changes[field.name] = not value
        elif isinstance(value, float):
            changes[field.name] = 0.999 * value
        elif isinstance(value, tuple) and value and all(isinstance(x, float) for x in value):
            changes[field.name] = tuple(0.999 * x for x in value)
    changes.pop("physics_step_s", None)  # must divide the control period
    changes.pop("gripper", None)  # not every algorithm lifts
    changes.pop("supervised", None)  # of context it is part of --objective
    # A body with hidden quantities has neither.
    return replace(cast("Any", settings), **(changes or {"episode_steps": 500}))


@dataclass(frozen=True)
class _Switches:
    """Settings of types that no algorithm has."""

    name: ClassVar[str] = "switches"
    on: bool = False
    off: bool = True
    pairs: tuple[tuple[int, int], ...] = ()
    path: Path | None = None


def test_switches_pairs_and_paths_are_written_as_flags() -> None:
    run = RunSettings()
    before = TrainConfig(algorithm=_Switches(), task=_Switches(), run=run)
    after = TrainConfig(
        algorithm=_Switches(on=True, pairs=((1, 2), (3, 4)), path=Path("a b")),
        task=_Switches(off=False),
        run=run,
    )
    assert flags_between(before, after) == [
        "--switches.on",
        *("--switches.pairs", "1", "2", "3", "4"),
        *("--switches.path", "a b"),
        "--task.no-off",
    ]


@pytest.mark.parametrize("name", ["csf", "metra"])
def test_configurations_of_the_first_release_are_still_read(name: str) -> None:
    session = ort.InferenceSession(MODELS / f"{name}_panda.onnx")
    text = session.get_modelmeta().custom_metadata_map[METADATA_KEY]
    origin = PolicyManifest.from_json(text).provenance
    config = config_from_json(json.dumps(origin.config))
    assert shortest_command(config) == origin.command
    plain = config_to_dict(config)
    # A setting of a later release has its default.
    assert plain["run"].pop("matmul") == "auto"
    assert plain["algorithm"].pop("skills") == "sphere"
    assert plain["algorithm"].pop("learn_entropy_coefficient") is True
    seen = plain["algorithm"]["representation"]
    assert seen.pop("input_scale") == "typical"
    assert seen.pop("frozen") is False
    assert plain["run"].pop("unusual_share") == 0.0
    assert plain["run"].pop("overlap") is False
    assert plain["run"].pop("normalization") == "measured"
    assert plain["run"].pop("keep_best") is None
    assert plain["task"].pop("beside_share") == 0.25
    assert plain["task"].pop("gripper") is False
    assert plain["task"].pop("held_share") == 0.0
    assert plain["algorithm"].pop("learning_rate_half_life") is None
    del seen["pixels"]  # settings of an input that phi does not have
    # The inputs of phi had other names.
    assert seen.pop("inputs") == ["cube_position.0", "cube_position.1"]
    seen |= {"field": "cube_position", "components": [0, 1]}
    assert plain == origin.config


def test_differences_are_named_by_path() -> None:
    before = SkillConfig(algorithm=CsfConfig())
    after = SkillConfig(
        algorithm=CsfConfig(representation=RepresentationConfig(form="linear")),
        run=SkillRunSettings(seed=1),
    )
    assert differences(before, after) == {
        "algorithm.representation.form": ("rotation", "linear"),
        "run.seed": (0, 1),
    }
    assert differences(before, before) == {}


def test_a_misspelt_or_missing_setting_is_refused() -> None:
    plain = json.loads(config_to_json(SkillConfig(algorithm=CsfConfig())))
    plain["run"]["sede"] = 1
    with pytest.raises(ConfigError, match="sede"):
        config_from_json(json.dumps(plain))
    for text in ("[]", "{", "{}", '{"algorithm": {"name": "vic"}}'):
        with pytest.raises(ConfigError, match="not a configuration"):
            config_from_json(text)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("algorithm", "name"), "nope", "algorithm.name is 'nope', which is none of csf, "),
        (("algorithm", "name"), ["csf"], "algorithm.name is ['csf'], which is none of csf, "),
        (
            ("algorithm",),
            ["csf"],
            "which is a JSON object with the objects algorithm, task and run",
        ),
        (("algorithm", "representation"), {"field": "x", "components": 5}, "representation.field"),
        (("algorithm", "representation"), 5, "representation"),
        (("run",), None, "run: "),
        (("run", "seed"), "x", "seed: "),
        (("task",), 3, "task"),
    ],
)
def test_a_damaged_entry_is_named(path: tuple[str, ...], value: object, words: str) -> None:
    plain: dict[str, Any] = config_to_dict(UNUSUAL)
    holder = plain
    for part in path[:-1]:
        holder = holder[part]
    holder[path[-1]] = value
    with pytest.raises(ConfigError, match=re.escape(words)) as refused:
        config_from_json(json.dumps(plain))
    assert "Error" not in str(refused.value)


def test_out_of_range_settings_are_refused() -> None:
    for wrong in ({"env_steps": 0}, {"seed": -1}, {"threads": 0}, {"eval_skills": 1}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            SkillRunSettings(**wrong)


def test_a_replay_smaller_than_a_round_is_refused() -> None:
    with pytest.raises(ConfigError, match="3199 is less than one round"):
        SkillConfig(algorithm=CsfConfig(), run=SkillRunSettings(replay_capacity=3199))


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
        SkillConfig(algorithm=CsfConfig(), task=task)


def test_the_longest_latency_that_the_tabletop_can_have_is_accepted() -> None:
    SkillConfig(algorithm=CsfConfig(), task=TabletopConfig(latency_s=(0.0, 0.035)))
