"""A policy is compared with its world: other actions are refused, other times get a remark."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.policy_files import push_manifest

from skill_proto.manifest import ActionPart, ObservationField, PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.worlds.world import Coordinates, WorldSpec
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.world.checks import check_world, goal_count, world_remarks

OBSERVATION: dict[str, Any] = {"name": "place", "size": 2, "unit": "m", "frame": "none"}
ACTION: dict[str, Any] = {
    "name": "actuator_command",
    "size": 2,
    "scale": [2.0, 3.0],
    "offset": 1.0,
    "unit": "1",
    "frame": "none",
}
SPEC = WorldSpec(
    name="own:make",
    title="the environment 'own:make'",
    observation=(ObservationField(**OBSERVATION),),
    action=(ActionPart(**ACTION),),
    episode_steps=50,
    control_rate_hz=20.0,
    coordinates=Coordinates(names=("place.0", "place.1"), unit="m", cell=1.0),
)


def manifest(**changes: Any) -> PolicyManifest:  # noqa: ANN401  a manifest's fields have many types
    """Returns the manifest of a policy of that world, with changes of its one action."""
    action = ACTION | {name: changes.pop(name) for name in tuple(changes) if name in ACTION}
    fields = json.loads(push_manifest().to_json()) | {
        "name": "walk",
        "control_rate_hz": 20.0,
        "observation": [OBSERVATION],
        "action": [action],
        "goal": None,
        "plant": None,
        "representation": None,
        "world": {"name": "own:make", "episode_steps": 50, "settings": {}},
    }
    return PolicyManifest.model_validate(fields | changes)


def test_a_policy_of_the_world_fits_without_a_remark() -> None:
    for fitting in (manifest(), manifest(scale=[2.0, 3.0 + 1e-7], offset=[1.0, 1.0])):
        check_world(fitting, SPEC)
        assert world_remarks(fitting, SPEC) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scale": 2.0}, r"with the scale 2 of actuator_command, but .*make' has \(2, 3\)"),
        ({"scale": [2.0, 3.5]}, r"scale \(2, 3\.5\).*restore the bounds that the action had"),
        ({"offset": 0.0}, "with the offset 0 of actuator_command, but .* has 1, so that its act"),
        ({"unit": "N"}, "walk has actuator_command in 'N' and .* has it in '1' and 'none'"),
        ({"frame": "joint"}, "the frame 'joint', but .*correct the manifest"),
        ({"observation": [OBSERVATION | {"unit": "mm"}]}, "walk has place in 'mm'"),
        ({"observation": [OBSERVATION | {"name": "way"}]}, "another version of this world"),
    ],
)
def test_actions_and_observations_that_mean_something_else_are_refused(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnsupportedPolicyError, match=words):
        check_world(manifest(**changes), SPEC)


def test_another_rate_and_another_length_get_a_remark() -> None:
    world = {"name": "own:make", "episode_steps": 200, "settings": {}}
    other = manifest(control_rate_hz=50.0, world=world)
    check_world(other, SPEC)
    assert world_remarks(other, SPEC) == [
        "acts at 50 Hz, the environment 'own:make' at 20 Hz",
        "trained in episodes of 200 control steps, these have 50",
    ]


def test_goals_in_another_unit_are_refused() -> None:
    space = {"field": "place", "components": [0, 1], "unit": "mm", "frame": "none"}
    space |= {"stop_radius": 1.0, "low": [0.0, 0.0], "high": [9.0, 9.0]}
    with pytest.raises(UnsupportedPolicyError, match=r"goals in 'mm', but place\.0, place\.1 of"):
        goal_count(EvaluationOptions(), manifest(goal=space), SPEC)
