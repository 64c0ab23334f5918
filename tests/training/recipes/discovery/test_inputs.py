"""What the networks of a run see."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from skill_robots.observation import PUSH_OBSERVATION, scales
from skill_robots.worlds.registry import default_config, make_world
from skill_training.cli import check, config_of
from skill_training.errors import ConfigError
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.representation import RepresentationConfig
from skill_training.recipes.discovery.inputs import network_inputs, world_statistics


def inputs(world: str, **representation: object) -> NetworkInputs:
    task = default_config(world)
    spec = make_world(task, 1).spec
    settings = cast("dict[str, Any]", representation)
    return network_inputs(RepresentationConfig(**settings), task, spec, seed=0)


def test_the_tabletop_has_given_magnitudes() -> None:
    found = inputs("tabletop")
    given = tuple(scales(PUSH_OBSERVATION).tolist())
    assert found == NetworkInputs(scale=given, seen=(6, 7), seen_scale=(given[6], given[7]))


def test_only_the_cube_is_not_driven_by_the_actions() -> None:
    """The test names neither cube nor arm. What it leaves is the cube's pose and velocity."""
    found = inputs("tabletop", inputs=("unactuated",), form="linear")
    entries = make_world(default_config("tabletop"), 1).spec.entries
    fields = {entries[place].rpartition(".")[0] for place in found.seen}
    assert fields == {"cube_position", "cube_quaternion", "cube_velocity", "cube_angular_velocity"}
    assert len(found.seen) == 13
    r2 = np.array(world_statistics(default_config("tabletop"), 0).action_r2)
    cube = list(found.seen)
    assert r2[cube].max() < 0.02
    assert np.delete(r2, cube).min() > 0.3


def test_a_body_is_measured() -> None:
    found = inputs("ant", inputs=("*",), form="linear", input_scale="step")
    statistics = world_statistics(default_config("ant"), 0)
    assert found.seen == tuple(range(29))
    assert (found.scale, found.offset) == (statistics.std, statistics.mean)
    assert found.seen_scale == statistics.step_std
    # A step of x is far smaller than x, one of a joint's velocity is as large as the velocity.
    ratio = np.array(found.seen_scale) / np.array(found.scale)
    assert ratio[:2].max() < 0.1
    assert ratio[-8:].min() > 0.5


@pytest.mark.parametrize(
    ("representation", "text"),
    [
        ({"inputs": ("cube",)}, "has no entry 'cube'; its fields are end_effector_position"),
        ({"inputs": ("cube_position.3",)}, "has no entry 'cube_position.3'"),
        ({"inputs": ("cube_position.0", "cube_position")}, "names an entry twice"),
        ({"inputs": ("unactuated", "cube_position.0")}, "unactuated takes no other input beside"),
    ],
)
def test_inputs_that_do_not_exist_are_explained(representation: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        inputs("tabletop", **representation)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((), "--metra.representation.inputs has no value"),
        (
            ("pixels", "rootx_position"),
            "inputs pixels takes no other input beside it, got pixels r",
        ),
        (("cube",), "--metra.representation.inputs: the observation of .* has no entry 'cube'"),
    ],
)
def test_the_program_names_the_flag(given: tuple[str, ...], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        check(config_of(["metra", "--metra.representation.inputs", *given]))


def test_a_state_restores_the_inputs() -> None:
    found = inputs("half_cheetah", inputs=("*",), form="linear")
    assert NetworkInputs.from_state_dict(found.state_dict()) == found
