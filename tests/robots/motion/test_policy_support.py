"""A manifest that contradicts the robot is refused, with the value found and the value expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.lift_policy import GRIPPER, lift_manifest
from tests.support.skill_aware_policy import skill_aware_manifest

from skill_proto.manifest import PolicyManifest
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.motion.policy_support import UnsupportedPolicyError, check_supported
from skill_robots.motion.reduced_speed import with_speed
from skill_robots.observation import FIELDS

MakeManifest = Callable[..., PolicyManifest]

POSITION = {"name": "end_effector_position", "size": 3, "scale": 0.3, "unit": "m", "frame": "world"}
JOINTS = {"name": "joint_position", "size": 7, "scale": 2.0, "unit": "rad", "frame": "joint"}
VELOCITY = {"name": "joint_velocity", "size": 7, "scale": 2.6, "unit": "rad/s", "frame": "joint"}


def changed(make_manifest: MakeManifest, part: str, **changes: Any) -> PolicyManifest:  # noqa: ANN401  fields have many types
    """Returns the manifest with some entries of ``plant``, ``goal`` or the first action changed."""
    whole = make_manifest().model_dump(mode="json")
    if part == "action":
        return make_manifest(action=[whole["action"][0] | changes])
    return make_manifest(**{part: whole[part] | changes})


def refusal(manifest: PolicyManifest) -> str:
    with pytest.raises(UnsupportedPolicyError) as caught:
        check_supported(PANDA, manifest)
    with pytest.raises(UnsupportedPolicyError) as by_adapter:
        PolicyAdapter(PANDA, manifest, 0.005)
    text = str(caught.value)
    assert str(by_adapter.value) == text
    assert "contradicts the robot 'panda'" in text
    assert "docs/policy-file.md" in text
    return text


def test_a_manifest_that_agrees_is_accepted(make_manifest: MakeManifest) -> None:
    for spec in (PANDA, FR3):
        check_supported(spec, make_manifest())
        check_supported(spec, skill_aware_manifest())
        check_supported(spec, lift_manifest())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unit": "mm"}, "'gripper_width' has the unit 'mm', expected 'm'"),
        ({"frame": "world"}, "'gripper_width' has the frame 'world', expected 'none'"),
        ({"scale": 0.14}, "has the scale 0.14 m, but this gripper opens to 0.08 m"),
    ],
)
def test_a_width_is_one_that_the_gripper_has(changes: dict[str, Any], said: str) -> None:
    first = lift_manifest().model_dump(mode="json")["action"][0]
    assert said in refusal(lift_manifest(action=[first, GRIPPER | changes]))


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_unit_and_frame_of_every_field_are_compared(make_manifest: MakeManifest, name: str) -> None:
    field = FIELDS[name]
    right = {"name": name, "size": field.size, "unit": field.unit, "frame": field.frame}
    bare = {"goal": None, "representation": None}
    check_supported(PANDA, make_manifest(observation=[right], **bare))
    text = refusal(make_manifest(observation=[right | {"unit": "mm"}], **bare))
    assert f"observation {name!r} has the unit 'mm', expected {field.unit!r}" in text
    text = refusal(make_manifest(observation=[right | {"frame": "banana"}], **bare))
    assert f"observation {name!r} has the frame 'banana', expected {field.frame!r}" in text


def test_all_contradictions_are_listed_at_once(make_manifest: MakeManifest) -> None:
    text = refusal(changed(make_manifest, "action", unit="mm", frame="end_effector", scale=40.0))
    owner = "action 'end_effector_displacement'"
    assert f"{owner} has the unit 'mm', expected 'm'" in text
    assert f"{owner} has the frame 'end_effector', expected 'world'" in text


@pytest.mark.parametrize("scale", [40.0, 4.0, 1.1])
def test_a_displacement_beyond_the_reach_is_refused(
    make_manifest: MakeManifest, scale: float
) -> None:
    text = refusal(changed(make_manifest, "action", scale=scale))
    assert f"has the scale {scale:g} m, too much for an arm with a reach of 1.02 m" in text


def test_the_gripper_part_is_compared_too(make_manifest: MakeManifest) -> None:
    whole = skill_aware_manifest().model_dump(mode="json")
    arm, gripper = whole["action"]
    for changes, said in (
        ({"unit": "mm"}, "'gripper_width_displacement' has the unit 'mm'"),
        ({"frame": "world"}, "'gripper_width_displacement' has the frame 'world', expected 'none'"),
        ({"scale": 200.0}, "'gripper_width_displacement' has the scale 200 m"),
        ({"offset": 0.01}, "has an offset, which the gripper does not take"),
    ):
        assert said in refusal(make_manifest(action=[arm, gripper | changes]))


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        (POSITION, {"offset": [-50.0, 0.0, 150.0]}, "has the offset 150 m, too much for an arm"),
        (JOINTS, {"offset": [0, -45, 0, -135, 0, 90, 45]}, "has the offset 135 rad, over a turn"),
        (VELOCITY, {"scale": 120.0}, "has the scale 120 rad/s, over a turn per second"),
        (VELOCITY, {"offset": -10.0}, "has the offset 10 rad/s, over a turn per second"),
    ],
)
def test_millimetres_and_degrees_are_refused(
    make_manifest: MakeManifest, part: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    for spec in (PANDA, FR3):
        check_supported(spec, make_manifest(action=[part]))
        check_supported(with_speed(spec, 0.1), make_manifest(action=[part]))
    assert said in refusal(make_manifest(action=[part | changes]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unit": "mm"}, "goal has the unit 'mm', expected 'm'"),
        ({"frame": "none"}, "goal has the frame 'none', expected 'world'"),
        ({"low": [-150.0, -150.0], "high": [150.0, 150.0]}, "goal reaches 150 m from the origin"),
    ],
)
def test_goals_are_compared_with_their_field(
    make_manifest: MakeManifest, changes: dict[str, Any], said: str
) -> None:
    assert said in refusal(changed(make_manifest, "goal", **changes))


def test_components_of_a_goal_that_is_not_observed_are_those_of_its_field(
    make_manifest: MakeManifest,
) -> None:
    """A pose of seven entries as the goal of a position of three, as in a reach task."""
    observation = [
        {"name": "joint_position", "size": 7, "unit": "rad", "frame": "joint"},
        {"name": "goal", "size": 7, "unit": "m", "frame": "world"},
    ]
    goal = make_manifest().model_dump(mode="json")["goal"] | {
        "field": "end_effector_position",
        "components": list(range(7)),
        "low": [-0.1] * 7,
        "high": [0.1] * 7,
    }
    manifest = make_manifest(observation=observation, goal=goal, representation=None)
    assert "goal has the component 6, expected at most 2" in refusal(manifest)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"workspace_low_m": [-300.0, -320.0, 15.0], "workspace_high_m": [150.0, 320.0, 250.0]},
            "the workspace is 640 m long",
        ),
        (
            {"workspace_low_m": [5.0, 5.0, 0.0], "workspace_high_m": [5.3, 5.3, 0.3]},
            "does not contain a point within the arm's reach of 1.02 m around its base",
        ),
        (
            {"workspace_low_m": [-0.3, -0.3, 3.0], "workspace_high_m": [0.1, 0.3, 3.2]},
            "does not contain a point",
        ),
        ({"max_setpoint_error_m": 60.0}, "max_setpoint_error_m is 60 m"),
    ],
)
def test_lengths_of_the_plant_must_suit_the_arm(
    make_manifest: MakeManifest, changes: dict[str, Any], said: str
) -> None:
    assert said in refusal(changed(make_manifest, "plant", **changes))


def test_mass_in_grams_is_refused(make_manifest: MakeManifest) -> None:
    mass = {"low": 400.0, "high": 1600.0, "unit": "g"}
    text = refusal(make_manifest(trained_on={"cube_mass": mass, "own": mass}))
    assert "trained_on 'cube_mass' has the unit 'g', expected 'kg'" in text
    assert "own" not in text
    context = {"size": 2, "estimates": [{"name": "cube_mass", "unit": "g"}]}
    text = refusal(make_manifest(context=context))
    assert "context estimate 'cube_mass' has the unit 'g', expected 'kg'" in text


def test_the_units_of_the_shipped_files_are_those_of_the_robot() -> None:
    onnx = pytest.importorskip("onnx")
    models = sorted((Path(__file__).parents[3] / "models").glob("*_panda.onnx"))
    assert len(models) == 5
    for path in models:
        entries = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
        check_supported(PANDA, PolicyManifest.from_json(entries["skill_manifest"]))
