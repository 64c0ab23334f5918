"""The policy driver on the real simulated arm: the hand, who commands it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import (
    ActionConfig,
    ActionDecoder,
    end_effector_state,
    inverse_kinematics,
)
from skill_robots.motion.policy_adapter import PolicyAdapter, UnsupportedPolicyError
from skill_robots.motion.setpoint_shaper import Setpoint
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
HAND = {
    "name": "gripper_width_displacement",
    "size": 1,
    "scale": 0.2,
    "unit": "m",
    "frame": "none",
}


def hand_manifest(make_manifest: MakeManifest, **overrides: Any) -> PolicyManifest:  # noqa: ANN401  fields have many types
    plant = make_manifest().plant.model_dump() | {"task": "skill_aware"}
    fields: dict[str, Any] = {
        "observation": [field.model_dump() for field in manifest_fields(OBSERVATION)],
        "action": [DISPLACE, HAND],
        "skill": {"kind": "none", "size": 0},
        "representation": None,
        "plant": plant,
    }
    return make_manifest(**(fields | overrides))


class Bench:
    """A driver on a simulated arm, a control step at a time."""

    def __init__(self, manifest: PolicyManifest, seed: int = 0) -> None:
        self.arm = MujocoArm(TabletopConfig(start="high"), seed=seed)
        self.arm.set_context(mass=1.0, friction=0.5)
        self.driver = PolicyAdapter(self.arm.spec, manifest, self.arm.servo_period_s)
        self.driver.reset(self.arm.read())

    def act(self, action: Array) -> None:
        self.driver.apply_action(action, self.arm.read())
        self.follow(8)

    def follow(self, periods: int) -> None:
        for _ in range(periods):
            self.arm.command(self.driver.step())

    @property
    def width(self) -> float:
        return self.arm.read().gripper_width


def test_a_scripted_pick_lifts_the_cube_and_brings_it_to_the_goal(
    make_manifest: MakeManifest,
) -> None:
    """The whole way that a served policy goes: observation, hand, shaper, arm, contact."""
    manifest = hand_manifest(make_manifest)
    for seed in range(3):
        bench, policy = Bench(manifest, seed), Pick()
        policy.reset(1)
        goal = np.random.default_rng(seed).uniform(-0.15, 0.15, (1, 2))
        height, reached = 0.0, False
        for _ in range(EPISODE_STEPS):
            observation = bench.driver.observation(bench.arm.read())
            bench.act(policy.act(observation[None], goal=goal)[0])
            cube = bench.arm.read().objects["cube"].position
            height = max(height, float(cube[2]))
            reached |= bool(height > 0.03 and success(cube[None], goal)[0])
        assert reached


def test_the_hand_opens_by_the_action_and_no_further_than_it_can(
    make_manifest: MakeManifest,
) -> None:
    bench = Bench(hand_manifest(make_manifest))
    bench.driver.apply_action(np.array([0.0, 0.0, 0.0, 0.1]), bench.arm.read())
    assert bench.driver.step().gripper_width == pytest.approx(bench.width + 0.02)
    for _ in range(20):
        bench.act(np.array([0.0, 0.0, 0.0, 1.0]))
    assert bench.driver.step().gripper_width == PANDA.gripper_width_max
    assert bench.width == pytest.approx(PANDA.gripper_width_max, abs=1e-3)
    for _ in range(20):
        bench.act(np.array([0.0, 0.0, 0.0, -1.0]))
    assert bench.driver.step().gripper_width == 0.0
    assert bench.width == pytest.approx(0.0, abs=1e-3)


def test_a_command_has_the_hand_until_it_gives_it_back(make_manifest: MakeManifest) -> None:
    bench = Bench(hand_manifest(make_manifest))
    opening = np.array([0.0, 0.0, 0.0, 1.0])
    said = np.array([0.1, -0.2, 0.3, 1.0])
    assert bench.driver.done(said) is None
    bench.driver.command_gripper(0.01, grasp=False)
    bench.act(opening)
    assert bench.driver.step().gripper_width == 0.01
    np.testing.assert_array_equal(bench.driver.done(said), [0.1, -0.2, 0.3, 0.0])
    bench.driver.command_gripper(None, grasp=True)
    bench.act(opening)
    assert bench.driver.step().grasp
    bench.driver.command_gripper(None, grasp=False)
    assert bench.driver.step().gripper_width is None  # as it is, until the policy says
    bench.act(opening)
    width = bench.driver.step().gripper_width
    assert width is not None
    assert width > 0.01


def test_fingers_are_geared_once_the_hand_is_used(make_manifest: MakeManifest) -> None:
    """One finger pushed aside takes the other along: the cube is centred between them."""
    bench = Bench(hand_manifest(make_manifest))
    for _ in range(10):
        bench.act(np.array([0.0, 0.0, 0.0, 0.3]))
    table = bench.arm._table  # type: ignore[attr-defined]  nothing else moves one finger alone
    finger = table._finger_q
    table._qpos[0, finger] += 0.01
    bench.driver.apply_action(np.zeros(4), bench.arm.read())
    bench.follow(40)
    one, other = table._qpos[0, finger : finger + 2]
    assert one == pytest.approx(other, abs=1e-4)


def test_a_policy_without_a_hand_leaves_it_alone(make_manifest: MakeManifest) -> None:
    bench = Bench(make_manifest())
    bench.act(np.array([0.5, 0.0, 0.0]))
    assert bench.driver.step().gripper_width is None


@pytest.mark.parametrize(
    "parts",
    [
        [HAND],
        [HAND, DISPLACE],
        [{**DISPLACE, "size": 2}],
        [DISPLACE, {**HAND, "name": "grasp"}],
        [{**DISPLACE, "name": "joint_displacement", "size": 7}],
    ],
)
def test_other_actions_are_refused_by_name(
    make_manifest: MakeManifest, parts: list[dict[str, Any]]
) -> None:
    manifest = hand_manifest(make_manifest, action=parts)
    with pytest.raises(
        UnsupportedPolicyError, match=r"this robot takes .*gripper_width_displacement"
    ):
        PolicyAdapter(PANDA, manifest, 0.005)


def test_a_displacement_starts_where_the_task_has_it() -> None:
    """With the set-point 2 cm ahead, an action of 1 reaches 6 cm ahead of the hand, or 4 cm."""
    base = np.array(ActionConfig().base_position)
    measured = inverse_kinematics(np.array([[0.0, 0.0, 0.15]]) - base)
    ahead = inverse_kinematics(np.array([[0.02, 0.0, 0.15]]) - base)
    still = np.zeros((1, 7))
    hands = end_effector_state(measured, still, ahead, still, base)
    reached: dict[str, float] = {}
    for origin in ("setpoint", "measured"):
        config = ActionConfig(origin=origin)
        goal = ActionDecoder(config, PANDA).displace(np.array([[1.0, 0.0, 0.0]]), ahead, hands)
        target = end_effector_state(measured, still, Setpoint(goal).position, still, base)
        reached[origin] = float(target.setpoint[0, 0])
    assert reached["setpoint"] == pytest.approx(0.06, abs=4e-3)  # one damped least-squares step
    assert reached["measured"] == pytest.approx(0.04, abs=4e-3)
