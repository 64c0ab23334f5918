"""The description of a policy names the given part of its skill space."""

from __future__ import annotations

from typing import Any

import pytest

from skill_proto.manifest import Range
from skill_robots.worlds.registry import make_world
from skill_training.nets.representation import RepresentationConfig
from skill_training.recipes.discovery.config import SkillConfig, default_skill_config
from skill_training.recipes.discovery.inputs import network_inputs
from skill_training.recipes.discovery.manifest import _trained_on, description, policy_name
from skill_training.recipes.discovery.recipe import SkillRecipe

Settings = dict[str, Any]


def described(
    algorithm: str = "csf", world: str = "tabletop", representation: Settings | None = None
) -> str:
    config = configured(algorithm, world, representation)
    spec = make_world(config.task, 1).spec
    inputs = network_inputs(config.algorithm.representation, config.task, spec, seed=0)
    return description(config, inputs, spec)


def configured(algorithm: str, world: str, representation: Settings | None = None) -> SkillConfig:
    config = default_skill_config(algorithm, world)
    if not representation:
        return config
    settings = type(config.algorithm)(representation=RepresentationConfig(**representation))
    return SkillConfig(algorithm=settings, task=config.task)


def test_the_default_skills_are_directions_on_the_table() -> None:
    assert described() == (
        "Pushes a 4 cm cube in the direction that the skill names; trained with contrastive "
        "successor features (CSF) on a given representation: the cube's x and y, up to a "
        "learned scale and rotation."
    )
    assert "trained with METRA on" in described("metra")


def test_the_ranges_of_hidden_quantities_are_those_of_training() -> None:
    config = configured("csf", "crippled_hopper")
    ranges = _trained_on(config, make_world(config.task, 1).spec)
    assert ranges["mass_scale"] == Range(low=0.5, high=1.5, unit="1")
    assert ranges["crippled_foot"] == Range(low=0.0, high=0.0, unit="1")
    ant = configured("csf", "ant")
    assert _trained_on(ant, make_world(ant.task, 1).spec) == {}


HAND = ("end_effector_position.0", "end_effector_position.1")


@pytest.mark.parametrize(
    ("representation", "words"),
    [
        ({"form": "linear"}, "x and y, up to a learned linear map."),
        ({"form": "mlp"}, "x and y, mapped by a learned network."),
        ({"inputs": HAND}, f"{', '.join(HAND)}, up to a learned scale and rotation."),
    ],
)
def test_other_representations_are_named(representation: dict[str, Any], words: str) -> None:
    assert described(representation=representation).endswith(words)
    limits = SkillRecipe().card_notes(configured("csf", "tabletop", representation)).limits
    chosen = representation.get("inputs", ("cube_position.0", "cube_position.1"))
    assert f"({', '.join(chosen)}) were chosen by hand" in limits


def test_inputs_that_a_test_selects_are_named_as_such() -> None:
    chosen = {"inputs": ("unactuated",), "form": "linear", "input_scale": "step"}
    text = described(representation=chosen)
    assert "do not drive directly, which a test with random actions selected" in text
    assert "(cube_position, cube_quaternion" in text
    assert "end_effector" not in text
    limits = SkillRecipe().card_notes(configured("csf", "tabletop", chosen)).limits
    assert "chosen by hand" not in limits


def test_a_whole_observation_is_named_as_such() -> None:
    assert described(world="half_cheetah") == (
        "Skills of HalfCheetah, trained with contrastive successor features (CSF) on the whole "
        "observation, up to a learned linear map. Nobody named the quantities that the skills move."
    )
    limits = SkillRecipe().card_notes(configured("csf", "half_cheetah")).limits
    assert "`skill-serve` refuses it" in limits


@pytest.mark.parametrize(
    ("world", "name"),
    [
        ("tabletop", "csf_panda"),
        ("ant", "csf_ant"),
        ("gymnasium:Reacher-v5", "csf_gymnasium_Reacher_v5"),
    ],
)
def test_the_name_of_a_policy(world: str, name: str) -> None:
    assert policy_name(default_skill_config("csf", world)) == name
