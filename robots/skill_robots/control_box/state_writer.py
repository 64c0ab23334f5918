"""StateWriter: fills the fields of the robot state that change every cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.config import CYCLE_S
from skill_robots.control_box.generators.cartesian import CartesianGenerator
from skill_robots.control_box.generators.desired_pose import DesiredPose
from skill_robots.control_box.generators.generator import MotionGenerator
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.physics.plant import Plant
from skill_robots.control_box.wire.robot_state import RobotState

_RATE = round(1.0 / CYCLE_S)

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
        self._axes, self._origin = state.o_t_ee.reshape(4, 4)[:3, :3], state.o_t_ee[12:15]
        state.tau_j[:] = plant.tau_j
        self._written: JointMotion | None = None
        self._has_wrench = self._has_command = False

    def write_measured(self) -> None:
        """Writes the measurements."""
        state, plant = self._state, self._plant
        state.q[:] = plant.q
        state.theta[:] = plant.q
        state.dq[:] = plant.dq
        state.dtheta[:] = plant.dq
        plant.read_pose(self._axes, self._origin)
        np.subtract(plant.tau_j, state.tau_j, out=state.dtau_j)
        state.dtau_j *= _RATE
        state.tau_j[:] = plant.tau_j
        state.tau_ext_hat_filtered[:] = plant.tau_ext
        _write_elbow(state.elbow, plant.position)
        plant.update_jacobian()
        external: list[float] = plant.tau_ext.tolist()
        has_wrench = max(external) > _NEGLIGIBLE_NM or min(external) < -_NEGLIGIBLE_NM
        if has_wrench:
            state.o_f_ext_hat_k[:], state.k_f_ext_hat_k[:] = plant.wrench()
        elif self._has_wrench:
            state.o_f_ext_hat_k[:] = 0.0
            state.k_f_ext_hat_k[:] = 0.0
        self._has_wrench = has_wrench

    def write_setpoint(
        self, motion: JointMotion, torque: Sequence[float], generator: MotionGenerator | None
    ) -> None:
        """Writes the set-point.

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
        cartesian = generator if isinstance(generator, CartesianGenerator) else None
        state.q_d[:] = motion.position
        state.dq_d[:] = motion.velocity
        state.ddq_d[:] = motion.acceleration
        _write_elbow(state.elbow_d, motion.position)
        if motion.position is self._plant.position:  # no position is desired
            state.o_t_ee_d[:] = state.o_t_ee
            state.o_dp_ee_d[:] = self._plant.end_effector_twist()
        else:
            if cartesian is None:  # a Cartesian generator keeps the pose itself
                self._desired.update(motion.position)
                self._desired.update_jacobian()
            state.o_t_ee_d[:] = self._desired.transform
            np.dot(self._desired.jacobian, state.dq_d, out=state.o_dp_ee_d)
        if cartesian is None:
            self._write_no_cartesian()
        else:
            self._write_cartesian(cartesian)

    def invalidate(self) -> None:
        """Makes the next call write the set-point anew: a frame has changed."""
        self._written = None

    def _write_no_cartesian(self) -> None:
        """Writes that no Cartesian motion is commanded."""
        state = self._state
        state.o_t_ee_c[:] = state.o_t_ee_d
        state.elbow_c[:] = state.elbow_d
        if self._has_command:
            self._has_command = False
            for rates in (state.o_dp_ee_c, state.o_ddp_ee_c, state.delbow_c, state.ddelbow_c):
                rates[:] = 0.0

    def _write_cartesian(self, generator: CartesianGenerator) -> None:
        """Writes the commanded pose; only Cartesian motions command one."""
        self._has_command = True
        state, cartesian, elbow = self._state, generator.cartesian, generator.elbow
        sign = state.elbow_d[1]
        state.o_t_ee_c[:] = cartesian.transform
        state.o_dp_ee_c[:] = cartesian.twist
        state.o_ddp_ee_c[:] = cartesian.acceleration
        state.elbow_c[:] = (elbow.position, sign)
        state.delbow_c[:] = (elbow.velocity, sign)
        state.ddelbow_c[:] = (elbow.acceleration, sign)


def _write_elbow(elbow: Array, position: Sequence[float]) -> None:
    """Writes the position of joint 3 and the sign of joint 4 (libfranka, ``RobotState``)."""
    elbow[0] = position[2]
    elbow[1] = 1.0 if position[3] >= 0.0 else -1.0
