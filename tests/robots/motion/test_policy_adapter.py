"""PolicyAdapter on the simulated arm: observations, control of the gripper, refused policies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.support.lift_policy import lift_manifest

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import JointTarget, ObjectUnseenError
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig, ActionDecoder, end_effector_state
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.motion.setpoint_shaper import Setpoint
from skill_robots.objects import CUBE
from skill_robots.observation import manifest_fields
from skill_robots.tasks.skill_aware.benchmark import EPISODE_STEPS, success
from skill_robots.tasks.skill_aware.scenes import OBSERVATION
from skill_robots.tasks.skill_aware.scripted.policies import Pick
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig

MakeManifest = Callable[..., PolicyManifest]

DISPLACE = {
    "name": "end_effector_displacement",
    "size": 3,
    "scale": 0.05,
    "unit": "m",
    "frame": "world",
}
GRIPPER = {
    "name": "gripper_width_displacement",
    "size": 1,
    "scale": 0.2,
    "unit": "m",
    "frame": "none",
}


def gripper_manifest(make_manifest: MakeManifest, **overrides: Any) -> PolicyManifest:  # noqa: ANN401  fields have many types
    plant = make_manifest().plant.model_dump() | {
        "task": "skill_aware",
        "displacement_origin": "measured",
    }
    fields: dict[str, Any] = {
        "observation": [field.model_dump() for field in manifest_fields(OBSERVATION)],
        "action": [DISPLACE, GRIPPER],
        "skill": {"kind": "none", "size": 0},
        "representation": None,
        "plant": plant,
    }
    return make_manifest(**(fields | overrides))


class Bench:
    """An adapter on a simulated arm, one control step at a time."""

    def __init__(self, manifest: PolicyManifest, seed: int = 0) -> None:
        self.arm = MujocoArm(TabletopConfig(start="high"), seed=seed)
        self.arm.set_context(mass=1.0, friction=0.5)
        self.adapter = PolicyAdapter(self.arm.spec, manifest, self.arm.servo_period_s)
        self.adapter.reset(self.arm.read())

    def act(self, action: Array) -> None:
        self.adapter.apply_action(action, self.arm.read())
        self.follow(8)

    def follow(self, periods: int) -> None:
        for _ in range(periods):
            self.arm.command(self.adapter.step())

    @property
    def width(self) -> float:
        return self.arm.read().gripper_width


def test_a_scripted_pick_lifts_the_cube_and_brings_it_to_the_goal(
    make_manifest: MakeManifest,
) -> None:
    """All stages of a served policy: observation, gripper, shaper, arm, contact."""
    manifest = gripper_manifest(make_manifest)
    for seed in range(3):
        bench, policy = Bench(manifest, seed), Pick()
        policy.reset(1)
        goal = np.random.default_rng(seed).uniform(-0.15, 0.15, (1, 2))
        height, reached = 0.0, False
        for _ in range(EPISODE_STEPS):
            observation = bench.adapter.observation(bench.arm.read())
            bench.act(policy.act(observation[None], goal=goal)[0])
            cube = bench.arm.read().objects["cube"].position
            height = max(height, float(cube[2]))
            reached |= bool(height > 0.03 and success(cube[None], goal)[0])
        assert reached


def test_the_gripper_opens_by_the_action_up_to_its_maximum(
    make_manifest: MakeManifest,
) -> None:
    bench = Bench(gripper_manifest(make_manifest))
    bench.adapter.apply_action(np.array([0.0, 0.0, 0.0, 0.1]), bench.arm.read())
    assert bench.adapter.step().gripper_width == pytest.approx(bench.width + 0.02)
    for _ in range(20):
        bench.act(np.array([0.0, 0.0, 0.0, 1.0]))
    assert bench.adapter.step().gripper_width == PANDA.gripper_width_max
    assert bench.width == pytest.approx(PANDA.gripper_width_max, abs=1e-3)
    for _ in range(20):
        bench.act(np.array([0.0, 0.0, 0.0, -1.0]))
    assert bench.adapter.step().gripper_width == 0.0
    assert bench.width == pytest.approx(0.0, abs=1e-3)


def test_a_command_controls_the_gripper_until_it_releases_it(make_manifest: MakeManifest) -> None:
    bench = Bench(gripper_manifest(make_manifest))
    opening = np.array([0.0, 0.0, 0.0, 1.0])
    action = np.array([0.1, -0.2, 0.3, 1.0])
    assert bench.adapter.applied_action(action, bench.arm.read()) is None
    bench.adapter.command_gripper(0.01, grasp=False)
    bench.act(opening)
    assert bench.adapter.step().gripper_width == 0.01
    applied = bench.adapter.applied_action(action, bench.arm.read())
    np.testing.assert_array_equal(applied, [0.1, -0.2, 0.3, 0.0])
    bench.adapter.command_gripper(None, grasp=True)
    bench.act(opening)
    assert bench.adapter.step().grasp
    bench.adapter.command_gripper(None, grasp=False)
    assert bench.adapter.step().gripper_width is None  # unchanged, until the policy acts
    bench.act(opening)
    width = bench.adapter.step().gripper_width
    assert width is not None
    assert width > 0.01


def test_the_width_of_a_command_stands_for_the_action_of_the_policy() -> None:
    bench = Bench(lift_manifest())
    closed = bench.arm.read()
    np.testing.assert_allclose(bench.adapter.resting_action(closed), [0, 0, 0, -1.0], atol=0.02)
    bench.adapter.command_gripper(0.06, grasp=False)
    action = np.array([0.1, -0.2, 0.3, -1.0])
    applied = bench.adapter.applied_action(action, closed)
    assert applied is not None
    np.testing.assert_allclose(applied, [0.1, -0.2, 0.3, 0.5])


def test_a_hold_stops_a_real_gripper_that_the_policy_moves() -> None:
    state = MujocoArm(TabletopConfig(gripper=True), seed=0).read()
    adapter = PolicyAdapter(PANDA, lift_manifest(), 0.005, follows_width=False)
    adapter.reset(state)
    adapter.apply_action(np.array([0.0, 0.0, 0.0, 1.0]), state)
    assert adapter.step().gripper_width == 0.08
    half_open = dataclasses.replace(state, gripper_width=0.03)
    adapter.hold(half_open)
    adapter.command_gripper(None, grasp=False)  # as in every hold of the controller
    assert adapter.step().gripper_width == 0.03
    adapter.apply_joint_goal(state.joint_position, dataclasses.replace(state, gripper_width=0.04))
    assert adapter.step().gripper_width == 0.03


def test_fingers_are_geared_once_the_gripper_is_used(make_manifest: MakeManifest) -> None:
    """A finger that is pushed aside moves the other: the cube is centred between them."""
    bench = Bench(gripper_manifest(make_manifest))
    for _ in range(10):
        bench.act(np.array([0.0, 0.0, 0.0, 0.3]))
    physics = bench.arm._table.physics  # type: ignore[attr-defined]  only this moves one finger
    finger = physics._finger_q
    physics._qpos[0, finger] += 0.01
    bench.adapter.apply_action(np.zeros(4), bench.arm.read())
    bench.follow(40)
    one, other = physics._qpos[0, finger : finger + 2]
    assert one == pytest.approx(other, abs=1e-4)


def test_a_policy_without_a_gripper_action_leaves_the_gripper_unchanged(
    make_manifest: MakeManifest,
) -> None:
    bench = Bench(make_manifest())
    bench.act(np.array([0.5, 0.0, 0.0]))
    assert bench.adapter.step().gripper_width is None


def proprioceptive_manifest(make_manifest: MakeManifest) -> PolicyManifest:
    names = ("joint_position", "end_effector_position", "gripper_width")
    fields = [field.model_dump() for field in manifest_fields(names)]
    return make_manifest(observation=fields, goal=None, representation=None)


def test_a_policy_that_observes_no_object_needs_no_cube(make_manifest: MakeManifest) -> None:
    bench = Bench(proprioceptive_manifest(make_manifest))
    assert bench.adapter.objects == ()
    blind = dataclasses.replace(bench.arm.read(), objects={})
    assert bench.adapter.world(blind).objects == {}
    observation = bench.adapter.observation(blind)
    np.testing.assert_array_equal(observation[:7], blind.joint_position)
    assert observation.shape == (11,)
    bench.act(np.array([0.5, 0.0, 0.0]))
    assert np.abs(bench.adapter.setpoint_velocity).max() > 0.0


def test_a_missing_object_is_named_with_the_objects_that_are_reported(
    make_manifest: MakeManifest,
) -> None:
    bench = Bench(make_manifest())
    assert bench.adapter.objects == (CUBE,)
    state = bench.arm.read()
    other = dataclasses.replace(state, objects={"mug": state.objects[CUBE]})
    with pytest.raises(ObjectUnseenError, match=r"the pose of 'cube'.*seen are: mug"):
        bench.adapter.observation(other)
    both = dataclasses.replace(state, objects={**other.objects, **state.objects})
    assert list(bench.adapter.world(both).objects) == [CUBE]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([GRIPPER], "this robot takes .*gripper_width_displacement"),
        ([{**DISPLACE, "size": 2}], "this robot takes .*gripper_width_displacement"),
        ([DISPLACE, {**GRIPPER, "name": "grasp"}], "'grasp' has the scale 0.2 m"),
        ([{**DISPLACE, "name": "joint_displacement", "size": 7}], "the unit 'm', expected 'rad'"),
    ],
)
def test_other_actions_are_refused_by_name(
    make_manifest: MakeManifest, parts: list[dict[str, Any]], reason: str
) -> None:
    manifest = gripper_manifest(make_manifest, action=parts)
    with pytest.raises(UnsupportedPolicyError, match=reason):
        PolicyAdapter(PANDA, manifest, 0.005)


def test_the_gripper_may_come_first(make_manifest: MakeManifest) -> None:
    state = MujocoArm(seed=0).read()
    found: list[JointTarget] = []
    for parts, action in (
        ([DISPLACE, GRIPPER], [0.5, -0.5, 1.0, 0.1]),
        ([GRIPPER, DISPLACE], [0.1, 0.5, -0.5, 1.0]),
    ):
        adapter = PolicyAdapter(PANDA, gripper_manifest(make_manifest, action=parts), 0.005)
        adapter.reset(state)
        adapter.apply_action(np.array(action), state)
        found.append(adapter.step())
    np.testing.assert_array_equal(found[0].position, found[1].position)
    assert found[0].gripper_width == found[1].gripper_width


def test_the_displacement_origin_is_the_manifests(make_manifest: MakeManifest) -> None:
    for manifest, origin in (
        (make_manifest(), "setpoint"),
        (gripper_manifest(make_manifest), "measured"),
    ):
        assert manifest.plant.displacement_origin == origin
        assert PolicyAdapter(PANDA, manifest, 0.005).actions.origin == origin


def test_a_displacement_starts_at_the_configured_origin() -> None:
    """With the set-point 2 cm ahead of the arm, an action of 1 reaches 6 cm ahead, or 4 cm."""
    base = np.array(ActionConfig().base_position)
    measured = inverse_kinematics(PANDA, np.array([[0.0, 0.0, 0.15]]) - base)
    ahead = inverse_kinematics(PANDA, np.array([[0.02, 0.0, 0.15]]) - base)
    still = np.zeros((1, 7))
    ends = end_effector_state(PANDA, measured, still, ahead, still, base)
    reached: dict[str, float] = {}
    for origin in ("setpoint", "measured"):
        config = ActionConfig(origin=origin)
        goal = ActionDecoder(config, PANDA).displace(np.array([[1.0, 0.0, 0.0]]), ahead, ends)
        target = end_effector_state(PANDA, measured, still, Setpoint(goal).position, still, base)
        reached[origin] = float(target.setpoint[0, 0])
    assert reached["setpoint"] == pytest.approx(0.06, abs=4e-3)  # one damped least-squares step
    assert reached["measured"] == pytest.approx(0.04, abs=4e-3)
