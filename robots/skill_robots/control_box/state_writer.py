"""StateWriter: fills the fields of the robot state that change every cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skill_robots.control_box.config import CYCLE_S
from skill_robots.control_box.generators.cartesian import CartesianGenerator
from skill_robots.control_box.generators.desired_pose import DesiredPose
from skill_robots.control_box.generators.generator import MotionGenerator
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.physics.plant import Plant
from skill_robots.control_box.wire.robot_state import RobotState

_NEGLIGIBLE_NM = 1e-9
"""External torques below this are those of no contact: numerical noise [N m]."""


class StateWriter:
    """Writes measurements and set-points.

    Motor positions equal joint positions: the simulated joints are rigid. The accelerometers of
    version 10 stay zero: their axes are not documented.

    Args:
        state: the state.
        plant: the physics.
        desired: forward kinematics of the set-point.
    """

    def __init__(self, state: RobotState, plant: Plant, desired: DesiredPose) -> None:
        self._state = state
        self._plant = plant
        self._desired = desired
        state.o_t_ee[15] = 1.0
        self._axes = state.o_t_ee.reshape(4, 4)[:3, :3]
        self._measured_axes = plant.end_effector_rotation.T
        state.tau_j[:] = plant.tau_j
        self._written: JointMotion | None = None
        self._has_wrench = True

    def write_measured(self) -> None:
        """Writes what the robot measures."""
        state, plant = self._state, self._plant
        state.q[:] = plant.q
        state.theta[:] = plant.q
        state.dq[:] = plant.dq
        state.dtheta[:] = plant.dq
        self._axes[:] = self._measured_axes
        state.o_t_ee[12:15] = plant.end_effector_position
        np.subtract(plant.tau_j, state.tau_j, out=state.dtau_j)
        state.dtau_j /= CYCLE_S
        state.tau_j[:] = plant.tau_j
        state.tau_ext_hat_filtered[:] = plant.tau_ext
        state.elbow[:] = _elbow(plant.q)
        plant.update_jacobian()
        has_wrench = float(np.abs(plant.tau_ext).max()) > _NEGLIGIBLE_NM
        if has_wrench:
            state.o_f_ext_hat_k[:], state.k_f_ext_hat_k[:] = plant.wrench()
        elif self._has_wrench:
            state.o_f_ext_hat_k[:] = 0.0
            state.k_f_ext_hat_k[:] = 0.0
        self._has_wrench = has_wrench

    def write_setpoint(
        self, motion: JointMotion, torque: Sequence[float], generator: MotionGenerator | None
    ) -> None:
        """Writes what the robot wants.

        Args:
            motion: joint set-point.
            torque: desired torque without gravity, ``(7,)`` [N m].
            generator: motion generator of a running motion.
        """
        state = self._state
        state.tau_j_d[:] = torque
        if motion is self._written and motion.is_at_rest:
            return
        self._written = motion
        state.q_d[:] = motion.position
        state.dq_d[:] = motion.velocity
        state.ddq_d[:] = motion.acceleration
        is_cartesian = isinstance(generator, CartesianGenerator)
        if not is_cartesian:  # a Cartesian generator keeps the pose up to date itself
            self._desired.update(motion.position)
            self._desired.update_jacobian()
        state.o_t_ee_d[:] = self._desired.transform
        np.dot(self._desired.jacobian, state.dq_d, out=state.o_dp_ee_d)
        state.elbow_d[:] = _elbow(motion.position)
        if is_cartesian:
            self._write_cartesian(generator)
        else:
            state.o_t_ee_c[:] = state.o_t_ee_d
            state.elbow_c[:] = state.elbow_d
            for rates in (state.o_dp_ee_c, state.o_ddp_ee_c, state.delbow_c, state.ddelbow_c):
                rates[:] = 0.0

    def invalidate(self) -> None:
        """Makes the next call write the set-point anew: a frame has changed."""
        self._written = None

    def _write_cartesian(self, generator: CartesianGenerator) -> None:
        """Writes the commanded pose; only Cartesian motions command one."""
        state, cartesian, elbow = self._state, generator.cartesian, generator.elbow
        sign = state.elbow_d[1]
        state.o_t_ee_c[:] = cartesian.transform
        state.o_dp_ee_c[:] = cartesian.twist
        state.o_ddp_ee_c[:] = cartesian.acceleration
        state.elbow_c[:] = (elbow.position, sign)
        state.delbow_c[:] = (elbow.velocity, sign)
        state.ddelbow_c[:] = (elbow.acceleration, sign)


def _elbow(position: Sequence[float]) -> tuple[float, float]:
    """Returns the position of joint 3 and the sign of joint 4 (libfranka, ``RobotState``)."""
    return position[2], 1.0 if position[3] >= 0.0 else -1.0
