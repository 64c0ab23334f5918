"""How hard the arm presses on the table where its set-point is inside: the arm is compliant."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka import kinematics
from skill_robots.franka.clearance import ClearanceModel
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import inverse_kinematics
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

PLACES: tuple[tuple[float, float], ...] = (
    (-0.30, 0.0),
    (-0.30, 0.30),
    (-0.15, 0.0),
    (0.0, 0.0),
    (0.0, 0.30),
    (0.15, 0.0),
)
"""Where on the table the arm is pressed down; x is away from its base, at -0.6 [m]."""

SETTLE_S = 3.0
"""Until the arm rests on the table [s]."""
ASIDE_M = 5.0
"""Where the cubes are meanwhile [m]."""


def at_start() -> Array:
    """``(3,)``: stiffness of the hand at the start pose along x, y and z [N/m]."""
    return stiffness(kinematics.forward_with_jacobian(kinematics.NEUTRAL[None])[1])[0]


def stiffness(jacobian: Array) -> Array:
    """``(n, 3)``: force per displacement along x, y and z, the hand free to give elsewhere [N/m].

    ``1 / (J K^-1 J^T)_ii`` of the linear rows of Jacobians ``(n, 6, 7)``, K the joint stiffness.
    """
    linear = jacobian[:, :3]
    return 1.0 / ((linear**2) / PANDA.stiffness).sum(axis=2)


class BareTable(Tabletop):
    """Arms over an empty table."""

    def put(self, joint_position: Array) -> None:
        """Arms at rest at ``(n, 7)`` [rad], the cubes out of the way."""
        self._qpos[:, :7] = joint_position
        self._qpos[:, self._cube_q] = ASIDE_M

    def pushed_with(self, setpoint: Array) -> Array:
        """``(n, 3)``: what holds each arm, at rest, off its set-point [N]."""
        torque = PANDA.stiffness * (setpoint - self.joint_position)
        _, jacobian = kinematics.forward_with_jacobian(self.joint_position)
        wrench = np.linalg.pinv(jacobian.transpose(0, 2, 1)) @ torque[:, :, None]
        return -wrench[:, :3, 0]


def press(depth_m: float) -> tuple[Array, Array]:
    """Vertical stiffness [N/m] and force [N] with the set-point ``depth_m`` in the table.

    At :data:`PLACES`, ``(n,)`` each: the first from the Jacobian, the second measured.
    """
    table = BareTable(TabletopConfig(), len(PLACES))
    hand = np.array([(x, y, 0.0) for x, y in PLACES]) - table.actions.base_position
    clearance = ClearanceModel()
    for _ in range(2):  # the tips are lowest where the hand points straight down, nearly
        joints = inverse_kinematics(hand)
        lowest = np.array([clearance.measure(position).table for position in joints])
        hand[:, 2] -= lowest + depth_m
    joints = inverse_kinematics(hand)
    _, jacobian = kinematics.forward_with_jacobian(joints)
    table.put(inverse_kinematics(hand + np.array((0.0, 0.0, depth_m))))
    rest = np.zeros_like(joints)
    for _ in range(round(SETTLE_S / table.config.physics_step_s)):
        table.physics_step(joints, rest)
    return stiffness(jacobian)[:, 2], table.pushed_with(joints)[:, 2]
