"""An arm with six joints and models of its own passes through motion/ without any change there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import ArmSpec, ArmState, Pose
from skill_robots.collision import Clearance
from skill_robots.franka.specs import PANDA
from skill_robots.kinematics import EndEffectorPose, Point
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.governor import Governor
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.objects import CUBE
from skill_robots.tasks.tabletop.setpoint_audit import SetpointAudit

PERIOD_S = 0.005
LOCKED = 2
"""Index of the Panda's joint that this arm does not have."""


def unlocked(joint_position: Array) -> Array:
    return np.insert(joint_position, LOCKED, 0.0, axis=-1)


class SixJoints:
    """Kinematics of a Panda whose third joint is locked at zero."""

    def forward(self, joint_position: Array) -> EndEffectorPose:
        return PANDA.kinematics.forward(unlocked(joint_position))

    def forward_with_jacobian(self, joint_position: Array) -> tuple[EndEffectorPose, Array]:
        pose, jacobian = PANDA.kinematics.forward_with_jacobian(unlocked(joint_position))
        return pose, np.delete(jacobian, LOCKED, axis=2)

    def forward_point(self, joint_position: Sequence[float]) -> Point:
        return PANDA.kinematics.forward_point(unlocked(np.array(joint_position)).tolist())

    def forward_point_with_velocity(
        self, joint_position: Sequence[float], joint_velocity: Sequence[float]
    ) -> tuple[Point, Point]:
        joints, rates = (unlocked(np.array(each)) for each in (joint_position, joint_velocity))
        return PANDA.kinematics.forward_point_with_velocity(joints.tolist(), rates.tolist())


class SixJointCollision:
    """Collision model of the same arm."""

    def __init__(self) -> None:
        self._panda = PANDA.collision_model()

    def measure(self, joint_position: Array) -> Clearance:
        return self._panda.measure(unlocked(joint_position))


@pytest.fixture
def spec() -> ArmSpec:
    vectors = {
        name: np.delete(value, LOCKED)
        for name, value in vars(PANDA).items()
        if isinstance(value, np.ndarray)
    }
    joints = tuple(f"joint{i}" for i in range(1, 7))
    return replace(
        PANDA,
        name="six",
        joint_names=joints,
        **vectors,
        kinematics=SixJoints(),
        collision_model=SixJointCollision,
    )


def test_a_policy_moves_it_within_its_limits(
    spec: ArmSpec, make_manifest: Callable[..., PolicyManifest]
) -> None:
    """The policy's actions become set-points that the governor never refuses."""
    manifest = make_manifest()
    actions = ActionConfig()
    base = np.array(actions.base_position)
    start = inverse_kinematics(spec, np.array([[-0.1, 0.0, 0.1]]) - base)[0]
    cube = Pose(
        position=np.zeros(3),
        quaternion=np.array([1.0, 0.0, 0.0, 0.0]),
        velocity=np.zeros(3),
        angular_velocity=np.zeros(3),
    )
    state = ArmState(
        time_s=0.0,
        joint_position=start,
        joint_velocity=np.zeros(spec.dof),
        gripper_width=0.0,
        objects={CUBE: cube},
    )
    adapter = PolicyAdapter(spec, manifest, PERIOD_S)
    governor = Governor(spec, actions.workspace_low, actions.workspace_high, PERIOD_S)
    audit = SetpointAudit(spec, actions, PERIOD_S, start[None])
    adapter.reset(state)
    governor.reset(state)
    for _ in range(25):
        assert adapter.observation(state).shape == (manifest.observation_size,)
        adapter.apply_action(np.array([0.0, 0.3, 0.0]), state)
        for _ in range(8):
            target = adapter.step()
            assert target.position.shape == (spec.dof,)
            assert governor.check(target, state).intervention is None
            audit.check(target.position[None], target.velocity[None])
            # A perfect servo: the arm is at its set-point.
            state = replace(state, joint_position=target.position, joint_velocity=target.velocity)
    moved = adapter.measured_end_effector(state)[0] - (np.array([-0.1, 0.0, 0.1]))
    assert moved[1] > 0.1
    assert np.abs(moved[[0, 2]]).max() < 0.01
    assert audit.total == 0
    headroom = governor.headroom()
    assert headroom is not None
    assert headroom.workspace > 0.0
