"""Each kind of action, driven by wild outputs, keeps every limit of the arm; at rest it stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import JointTarget
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.governor import WORKSPACE_MARGIN_M
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.authority.command import ActiveCommand
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.policy import PolicyOutput

PERIOD_S = 0.005
BASE = np.array(ActionConfig().base_position)
NEUTRAL = PANDA.neutral.tolist()


def part(
    name: str, size: int, scale: object, unit: str, frame: str, **more: object
) -> dict[str, Any]:
    return {"name": name, "size": size, "scale": scale, "unit": unit, "frame": frame, **more}


DISPLACEMENT = part("end_effector_displacement", 3, 0.05, "m", "world")
POSITION = part(
    "end_effector_position", 3, [0.3, 0.4, 0.3], "m", "world", offset=[-0.05, 0.0, 0.15]
)
KINDS: dict[str, list[dict[str, Any]]] = {
    "displacement": [DISPLACEMENT],
    "displacement and rotation": [
        DISPLACEMENT,
        part("end_effector_rotation", 3, 0.2, "rad", "world"),
    ],
    "position": [POSITION],
    "pose": [POSITION, part("end_effector_quaternion", 4, 1.0, "1", "world")],
    "pose in Euler angles": [POSITION, part("end_effector_euler", 3, 3.0, "rad", "world")],
    "joint displacement": [part("joint_displacement", 7, 0.1, "rad", "joint")],
    "joint position": [part("joint_position", 7, 2.0, "rad", "joint", offset=NEUTRAL)],
    "joint velocity": [part("joint_velocity", 7, 4.0, "rad/s", "joint")],
}
RUN = ActiveCommand(kind="skill", vector=np.zeros(0), expires=1e9)
GRASP = part("grasp", 1, 0.08, "m", "none")


def manifest_of(action: list[dict[str, Any]]) -> PolicyManifest:
    return PolicyManifest.model_validate(
        {
            "name": "wild",
            "control_rate_hz": 25.0,
            "observation": [
                {"name": "joint_position", "size": 7, "unit": "rad", "frame": "joint"},
                {"name": "end_effector_quaternion", "size": 4, "unit": "1", "frame": "world"},
            ],
            "action": action,
            "plant": {
                "robot": "panda",
                "task": "tabletop",
                "physics_step_s": PERIOD_S,
                "joint_stiffness": PANDA.stiffness.tolist(),
                "joint_damping": PANDA.damping.tolist(),
                "max_setpoint_error_m": 0.06,
                "workspace_low_m": [-0.30, -0.32, 0.015],
                "workspace_high_m": [0.15, 0.32, 0.25],
                "velocity_limit_share": 0.9,
            },
        }
    )


class Scripted:
    """A policy whose actions come from a list."""

    def __init__(self, manifest: PolicyManifest, actions: Iterator[Array]) -> None:
        self.manifest = manifest
        self._actions = actions

    def step(self, *arguments: object) -> PolicyOutput:
        del arguments
        action = np.asarray(next(self._actions), np.float32)[None]
        return PolicyOutput(
            action=action,
            skill_used=np.zeros((1, 0), np.float32),
            context=None,
            is_finite=np.ones(1, np.bool_),
        )

    def reset_slot(self, slot: int) -> None:
        pass


def wild(size: int) -> Iterator[Array]:
    """Corners of the box of actions, held for a while or changed at once, and numbers beyond it."""
    rng = np.random.default_rng(7)
    while True:
        corner = rng.choice([-1.0, 1.0, 1e6, -1e6], size=size)
        yield from [corner] * int(rng.choice([1, 1, 2, 15]))


def run(
    kind: list[dict[str, Any]], actions: Iterator[Array], seconds: float
) -> tuple[list[JointTarget], ArmController]:
    arm = MujocoArm(TabletopConfig(physics_step_s=PERIOD_S, start="high"), seed=3)
    controller = ArmController(arm, Scripted(manifest_of(kind), actions))
    sent: list[JointTarget] = []
    command = arm.command

    def note(target: JointTarget) -> None:
        sent.append(target)
        command(target)

    arm.command = note  # type: ignore[method-assign]
    for tick in range(round(seconds / PERIOD_S)):
        report = controller.update(RUN, "skill", tick * PERIOD_S)
        assert not report.faults
    return sent, controller


@pytest.mark.parametrize("name", KINDS)
def test_wild_actions_pass_no_limit(name: str) -> None:
    kind = [*KINDS[name], GRASP]
    sent, _ = run(kind, wild(sum(each["size"] for each in kind)), 6.0)
    position = np.stack([target.position for target in sent])
    velocity = np.diff(position, axis=0) / PERIOD_S
    acceleration = np.diff(velocity, axis=0) / PERIOD_S
    rounding = 1.0 + 1e-6
    assert (position >= PANDA.position_low).all()
    assert (position <= PANDA.position_high).all()
    assert (np.abs(velocity) <= PANDA.velocity_limit * rounding).all()
    assert (np.abs(acceleration) <= PANDA.acceleration_limit * rounding + 1e-6).all()
    jerk = np.diff(acceleration, axis=0) / PERIOD_S
    assert (np.abs(jerk) <= PANDA.jerk_limit * rounding + 1e-3).all()
    hand = PANDA.kinematics.forward(position).position + BASE
    config = ActionConfig()
    assert (hand >= np.array(config.workspace_low) - WORKSPACE_MARGIN_M - 1e-6).all()
    assert (hand <= np.array(config.workspace_high) + WORKSPACE_MARGIN_M + 1e-6).all()
    speed = np.linalg.norm(np.diff(hand, axis=0), axis=1) / PERIOD_S
    assert speed.max() <= PANDA.end_effector_speed * rounding
    assert np.ptp(position, axis=0).max() > 0.2, "the arm has to move for this test"
    widths = {target.grasp for target in sent}
    assert widths == {True, False}


@pytest.mark.parametrize("name", KINDS)
def test_the_resting_action_leaves_the_arm_at_rest(name: str) -> None:
    kind = KINDS[name]
    size = sum(each["size"] for each in kind)
    resting: list[Array] = []

    def still() -> Iterator[Array]:
        while True:
            yield resting[0] if resting else np.zeros(size)

    arm = MujocoArm(TabletopConfig(physics_step_s=PERIOD_S, start="high"), seed=3)
    controller = ArmController(arm, Scripted(manifest_of(kind), still()))
    controller.update(None, "hold", 0.0)
    resting.append(controller.adapter.resting_action(controller.state))
    begin = controller.setpoint.copy()
    for tick in range(100):
        controller.update(RUN, "skill", tick * PERIOD_S)
    ends = PANDA.kinematics.forward(np.stack([begin, controller.setpoint]))
    assert np.linalg.norm(np.diff(ends.position, axis=0)) < 2e-3
