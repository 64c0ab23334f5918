"""docs/policy-file.md: the table of fields and the numeric example are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import Pose
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig, ActionDecoder, end_effector_state
from skill_robots.observation import FIELDS, WorldState, layout, observe
from skill_robots.rotations import canonical_sign
from skill_runtime.policy import OnnxPolicy
from skill_runtime.policy.onnx_file.scan import scan

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "policy-file.md").read_text()
BASE = np.array([-0.6, 0.0, 0.0])


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.fixture(scope="module")
def example() -> dict[str, Any]:
    found = re.search(r"```jsonc\n(.*?)```", section("A numeric example"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def policy() -> OnnxPolicy:
    return OnnxPolicy(ROOT / "models" / "csf_panda.onnx")


def vector(example: dict[str, Any], name: str) -> Array:
    return np.array(example[name])[None]


def end_effector(joints: Array, velocity: Array) -> tuple[Array, Array]:
    """Position and velocity in the world frame, by the formulas of the page."""
    pose, jacobian = PANDA.kinematics.forward_with_jacobian(joints)
    return pose.position + BASE, (jacobian[:, :3] @ velocity[:, :, None])[:, :, 0]


def test_the_table_of_fields_is_complete_and_right() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\d+) \| ([^|]+) \| ([^|]+) \|", section("The observation"), re.MULTILINE
    )
    assert {name: (int(size), unit, frame) for name, size, unit, frame in rows} == {
        name: (field.size, field.unit, field.frame) for name, field in FIELDS.items()
    }


def test_the_observation_follows_from_the_joints_by_the_formulas(
    example: dict[str, Any], policy: OnnxPolicy
) -> None:
    measured, velocity = end_effector(
        vector(example, "joint_position"), vector(example, "joint_velocity")
    )
    commanded, commanded_velocity = end_effector(
        vector(example, "setpoint_joint_position"), vector(example, "setpoint_joint_velocity")
    )
    assert measured[0] == pytest.approx(example["end_effector_position"], abs=1e-5)
    assert commanded[0] == pytest.approx(example["setpoint_position"], abs=1e-5)
    cube = vector(example, "cube_position")
    values = {
        "end_effector_position": measured,
        "end_effector_velocity": velocity,
        "cube_position": cube,
        "cube_quaternion": vector(example, "cube_quaternion"),
        "cube_velocity": vector(example, "cube_velocity"),
        "cube_angular_velocity": vector(example, "cube_angular_velocity"),
        "cube_from_end_effector": cube - measured,
        "setpoint_gap": commanded - measured,
        "setpoint_velocity": commanded_velocity,
    }
    assert tuple(values) == policy.manifest.observation_names
    by_page = np.concatenate([value[0] for value in values.values()])
    assert by_page == pytest.approx(example["observation"], abs=1e-5)
    quaternion = by_page[layout(tuple(values))["cube_quaternion"]]
    assert np.linalg.norm(quaternion) == pytest.approx(1.0, abs=1e-5)
    assert quaternion[0] >= 0


def test_the_runtime_computes_the_same_observation(
    example: dict[str, Any], policy: OnnxPolicy
) -> None:
    ends = end_effector_state(
        PANDA,
        vector(example, "joint_position"),
        vector(example, "joint_velocity"),
        vector(example, "setpoint_joint_position"),
        vector(example, "setpoint_joint_velocity"),
        np.array(ActionConfig().base_position),
    )
    world = WorldState(
        joint_position=vector(example, "joint_position"),
        joint_velocity=vector(example, "joint_velocity"),
        end_effector_position=ends.measured,
        end_effector_velocity=ends.measured_velocity,
        setpoint_position=ends.setpoint,
        setpoint_velocity=ends.setpoint_velocity,
        gripper_width=np.zeros((1, 1)),
        objects={
            "cube": Pose(
                position=vector(example, "cube_position"),
                quaternion=canonical_sign(-vector(example, "cube_quaternion")),
                velocity=vector(example, "cube_velocity"),
                angular_velocity=vector(example, "cube_angular_velocity"),
            )
        },
    )
    observed = observe(policy.manifest.observation_names, world)[0]
    assert observed == pytest.approx(example["observation"], abs=1e-5)


def test_the_actions_are_those_of_the_shipped_file(
    example: dict[str, Any], policy: OnnxPolicy
) -> None:
    by_skill = policy.step(example["observation"], example["skill"])
    assert by_skill.action[0] == pytest.approx(example["action"], abs=2e-4)
    by_goal = policy.step(example["observation"], goal=example["goal"])
    assert by_goal.action[0] == pytest.approx(example["goal_action"], abs=2e-4)
    assert by_goal.skill_used[0] == pytest.approx(example["goal_skill_used"], abs=2e-4)
    cube = np.array(example["cube_position"][:2])
    distance = np.linalg.norm(cube - example["goal"])
    assert distance == pytest.approx(example["goal_distance"], abs=1e-4)
    again = policy.step(example["observation"], example["skill"], previous_action=np.ones(3))
    assert again.action == pytest.approx(by_skill.action, abs=1e-6)


def by_the_page(manifest: PolicyManifest, example: dict[str, Any], action: Array) -> Array:
    """The target of an action, by the text of the page."""
    plant, measured = manifest.plant, np.array(example["end_effector_position"])
    origin = np.array(example["setpoint_position"])
    gap = origin + manifest.action[0].scale * np.clip(action, -1, 1) - measured
    length = float(np.linalg.norm(gap))
    if length > plant.max_setpoint_error_m:
        gap = gap * plant.max_setpoint_error_m / length
    return np.clip(measured + gap, plant.workspace_low_m, plant.workspace_high_m)


@pytest.mark.parametrize("action", [None, [1.0, 1.0, 1.0], [-1.0, 3.0, 0.2], [0.0, 0.0, 0.0]])
def test_the_target_is_that_of_the_runtime(
    example: dict[str, Any],
    policy: OnnxPolicy,
    action: list[float] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = np.array(example["action"] if action is None else action)
    target = by_the_page(policy.manifest, example, chosen)
    if action is None:
        displaced = np.array(example["setpoint_position"]) + 0.04 * chosen
        assert displaced == pytest.approx(example["displaced"], abs=1e-5)
        assert target == pytest.approx(example["target"], abs=1e-5)
        distance = np.linalg.norm(displaced - example["end_effector_position"])
        assert distance == pytest.approx(0.049, abs=5e-4)  # the text: 4.9 cm
    seen: list[Array] = []

    def record(jacobian: Array, twist: Array, setpoint: Array, neutral: Array) -> Array:
        del jacobian, neutral
        seen.append(twist[0, :3])
        return np.zeros_like(setpoint)

    monkeypatch.setattr("skill_robots.motion.action.damped_least_squares", record)
    ends = end_effector_state(
        PANDA,
        vector(example, "joint_position"),
        vector(example, "joint_velocity"),
        vector(example, "setpoint_joint_position"),
        vector(example, "setpoint_joint_velocity"),
        BASE,
    )
    decoder = ActionDecoder(ActionConfig(), PANDA)
    decoder.displace(chosen[None], vector(example, "setpoint_joint_position"), ends)
    assert ends.setpoint[0] + seen[0] == pytest.approx(target, abs=2e-5)


@pytest.mark.parametrize(
    ("model", "still"),
    [("csf_panda", True), ("metra_panda", True), ("saccm_panda", True), ("goal_panda", False)],
)
def test_the_action_at_the_goal_is_as_the_page_says(model: str, still: bool) -> None:
    policy = OnnxPolicy(ROOT / "models" / f"{model}.onnx")
    manifest = policy.manifest
    assert manifest.goal is not None
    observation = np.random.default_rng(0).normal(0.0, 0.1, manifest.observation_size)
    places = layout(manifest.observation_names)
    place = places[manifest.goal.field]
    observation[place.start + 2] = 0.02  # on the table
    observation[places["cube_velocity"]] = 0.0
    cube = observation[place][list(manifest.goal.components)]
    inside = cube + np.array([0.9 * manifest.goal.stop_radius, 0.0])
    assert (policy.step(observation, goal=inside).action == 0.0).all() == still
    if model == "saccm_panda":
        contexts: list[object] = []
        for _ in range(3):
            observation[places["end_effector_position"]] += 0.01
            contexts.append(policy.step(observation, goal=inside).context)
        np.testing.assert_array_equal(contexts[1:], contexts[:-1])
        observation[places["cube_velocity"].start] = 0.11
        assert (policy.step(observation, goal=inside).action != 0.0).any()
    outside = cube + np.array([1.1 * manifest.goal.stop_radius, 0.0])
    assert (policy.step(observation, goal=outside).action != 0.0).any()


def test_the_versions_on_the_page_are_those_of_the_files() -> None:
    found = re.search(r"IR version (\d+) and operator set (\d+)", section("The graph"))
    assert found is not None
    for path in (ROOT / "models").glob("*.onnx"):
        content = scan(path.read_bytes())
        assert content.ir_version == int(found[1])
        assert content.opsets == {"ai.onnx": int(found[2])}
