"""Contact force on the table if the set-point of the compliant arm is below the surface."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.collision import FrankaCollisionModel
from skill_robots.franka.specs import PANDA
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

PLACES: tuple[tuple[float, float], ...] = (
    (-0.30, 0.0),
    (-0.30, 0.30),
    (-0.15, 0.0),
    (0.0, 0.0),
    (0.0, 0.30),
    (0.15, 0.0),
)
"""Places on the table, x and y [m]; x points away from the base, which is at x = -0.6."""

SETTLE_S = 3.0
"""Time until the arm is at rest on the table [s]."""
ASIDE_M = 5.0
"""Position of the cubes, away from the arms [m]."""


def at_start() -> Array:
    """Returns the end effector's stiffness ``(3,)`` at the start pose along x, y and z [N/m]."""
    return stiffness(PANDA.kinematics.forward_with_jacobian(PANDA.neutral[None])[1])[0]


def stiffness(jacobian: Array) -> Array:
    """Returns force per displacement ``(n, 3)`` along x, y and z [N/m].

    The end effector is free to yield in the other directions. For the linear rows J of the
    Jacobians ``(n, 6, 7)`` and the joint stiffness K, this is ``1 / (J K^-1 J^T)_ii``.
    """
    linear = jacobian[:, :3]
    return 1.0 / ((linear**2) / PANDA.stiffness).sum(axis=2)


class BareTable(Tabletop):
    """Arms over an empty table."""

    def put(self, joint_position: Array) -> None:
        """Puts the arms at rest at ``(n, 7)`` [rad], and the cubes aside."""
        aside = np.full((self.n, 2), (ASIDE_M, 0.0))
        self.physics.reset(np.arange(self.n), joint_position, aside, np.zeros(self.n))

    def pushed_with(self, setpoint: Array) -> Array:
        """Returns the force ``(n, 3)`` on the end effectors of arms at rest [N].

        It balances the torques of the joint springs.
        """
        torque = PANDA.stiffness * (setpoint - self.joint_position)
        _, jacobian = PANDA.kinematics.forward_with_jacobian(self.joint_position)
        wrench = np.linalg.pinv(jacobian.transpose(0, 2, 1)) @ torque[:, :, None]
        return -wrench[:, :3, 0]


def press(depth_m: float) -> tuple[Array, Array]:
    """Returns vertical stiffness [N/m] and force [N] with the set-point below the table surface.

    The stiffness comes from the Jacobian. The force is measured in the simulated arm.

    Args:
        depth_m: Depth of the lowest point of the gripper at the set-point [m].

    Returns:
        Two arrays ``(n,)``, in the order of :data:`PLACES`.
    """
    table = BareTable(TabletopConfig(), len(PLACES))
    goal = np.array([(x, y, 0.0) for x, y in PLACES]) - table.actions.base_position
    clearance = FrankaCollisionModel()
    for _ in range(2):  # the fingertips are the lowest points if the gripper points down, nearly
        joints = inverse_kinematics(PANDA, goal)
        lowest = np.array([clearance.measure(position).table for position in joints])
        goal[:, 2] -= lowest + depth_m
    joints = inverse_kinematics(PANDA, goal)
    _, jacobian = PANDA.kinematics.forward_with_jacobian(joints)
    table.put(inverse_kinematics(PANDA, goal + np.array((0.0, 0.0, depth_m))))
    rest = np.zeros_like(joints)
    for _ in range(round(SETTLE_S / table.config.physics_step_s)):
        table.physics_step(joints, rest)
    return stiffness(jacobian)[:, 2], table.pushed_with(joints)[:, 2]
