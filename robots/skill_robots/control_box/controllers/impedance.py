"""The robot's internal controllers: joint impedance and Cartesian impedance.

Their structure is that of impedance control (Hogan 1985; Albu-Schaeffer, Ott, Hirzinger, "A
unified passivity-based control framework for position, torque and impedance control of flexible
joint robots", IJRR 2007) with a rigid joint. The real damping is unpublished; here it is critical
for the inertia at a typical pose.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.generators.cartesian_motion import rotation_between, split
from skill_robots.control_box.generators.desired_pose import DesiredPose
from skill_robots.control_box.generators.joint_motion import JointMotion

JOINT_STIFFNESS = (3000.0, 3000.0, 3000.0, 2500.0, 2500.0, 2000.0, 2000.0)
"""Stiffness at the start [N m/rad]. The real default is unpublished; these are the numbers of
libfranka's examples."""
CARTESIAN_STIFFNESS = (3000.0, 3000.0, 3000.0, 300.0, 300.0, 300.0)
"""Stiffness at the start in K [N/m, N m/rad]; from the same examples."""

_CARTESIAN_MASS = (4.0, 4.0, 4.0, 0.1, 0.1, 0.1)
"""Effective inertia of the end effector for the damping [kg, kg m^2]; order of magnitude."""
_NULL_SPACE_STIFFNESS = 20.0
_NULL_SPACE_DAMPING = 4.0
"""Posture of the joints beside a Cartesian impedance [N m/rad, N m s/rad]."""
_REGULARISATION = 1e-4


class JointImpedance:
    """``tau = K (q_d - q) + D (q'_d - q')`` for every joint.

    Args:
        inertia: diagonal of the mass matrix at a typical pose, ``(7,)`` [kg m^2].
    """

    def __init__(self, inertia: Array) -> None:
        self._inertia: list[float] = inertia.tolist()
        self.set_stiffness(JOINT_STIFFNESS)

    def set_stiffness(self, stiffness: Sequence[float]) -> None:
        """Sets the stiffness ``(7,)`` [N m/rad]; damping follows, ``D = 2 sqrt(K m)``."""
        self._gains = [
            (k, 2.0 * sqrt(k * m)) for k, m in zip(stiffness, self._inertia, strict=True)
        ]

    def torque(
        self, motion: JointMotion, position: list[float], velocity: list[float]
    ) -> list[float]:
        """Returns the torque ``(7,)`` [N m] at a measured position and velocity."""
        return [
            k * (q_d - q) + d * (v_d - v)
            for (k, d), q_d, v_d, q, v in zip(
                self._gains, motion.position, motion.velocity, position, velocity, strict=True
            )
        ]


class CartesianImpedance:
    """``tau = J^T (K e + D e') + N (...)``, stiffness along the axes of K.

    The error is that of EE; rotations by vectors. The null-space term keeps the posture of the
    set-point: ``N = I - J^T (J J^T + r)^-1 J``.
    """

    def __init__(self) -> None:
        self.set_stiffness(CARTESIAN_STIFFNESS)

    def set_stiffness(self, stiffness: Sequence[float]) -> None:
        """Sets the stiffness ``(6,)`` along the axes of K [N/m, N m/rad]."""
        self._stiffness = np.array(stiffness)
        self._damping = 2.0 * np.sqrt(self._stiffness * _CARTESIAN_MASS)

    def torque(
        self,
        motion: JointMotion,
        desired: DesiredPose,
        actual: DesiredPose,
        velocity: Array,
        stiffness_axes: Array,
    ) -> list[float]:
        """Returns the torque ``(7,)`` [N m].

        Args:
            motion: set-point.
            desired: pose and Jacobian of EE at the set-point.
            actual: the same at the measured position.
            velocity: measured joint velocity, ``(7,)`` [rad/s].
            stiffness_axes: axes of K in O as columns, ``(3, 3)``.
        """
        jacobian = actual.jacobian
        error = np.empty(6)
        error[:3] = desired.transform[12:15] - actual.transform[12:15]
        error[3:] = rotation_between(_rotation(actual), _rotation(desired))
        rate = desired.jacobian @ motion.velocity - jacobian @ velocity
        wrench = np.empty(6)
        for part, k, d in (
            (slice(0, 3), self._stiffness[:3], self._damping[:3]),
            (slice(3, 6), self._stiffness[3:], self._damping[3:]),
        ):
            along = stiffness_axes.T
            wrench[part] = stiffness_axes @ (k * (along @ error[part]) + d * (along @ rate[part]))
        posture = _NULL_SPACE_STIFFNESS * (np.array(motion.position) - actual.joint_position)
        posture += _NULL_SPACE_DAMPING * (np.array(motion.velocity) - velocity)
        gram = jacobian @ jacobian.T
        gram.flat[::7] += _REGULARISATION
        wrench -= np.linalg.solve(gram, jacobian @ posture)
        torque = jacobian.T @ wrench + posture
        torque_list: list[float] = torque.tolist()
        return torque_list


def _rotation(pose: DesiredPose) -> list[float]:
    return split(pose.transform.tolist())[1]
