"""Settings: frames, load, impedances, thresholds and filters that a client sets.

The ranges of impedances and filters are those of libfranka's documentation of
``franka::Robot``. The limits of a load are those of the data sheet.
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.controllers.impedance import CartesianImpedance, JointImpedance
from skill_robots.control_box.physics.frames import (
    from_column_major,
    hand_mass_properties,
    is_transform,
    nominal_end_effector,
    place_site,
)
from skill_robots.control_box.physics.plant import Plant
from skill_robots.control_box.physics.scene import END_EFFECTOR_SITE, STIFFNESS_SITE
from skill_robots.control_box.wire.protocol import SetterStatus
from skill_robots.control_box.wire.robot_command import CollisionBehavior, Load
from skill_robots.control_box.wire.robot_state import RobotState
from skill_robots.franka.kinematics import FLANGE_IN_LINK7

MAX_JOINT_STIFFNESS = 14250.0
"""[N m/rad]; libfranka, ``setJointImpedance``."""
CARTESIAN_STIFFNESS_RANGE = ((10.0, 3000.0), (1.0, 300.0))
"""For translation [N/m] and rotation [N m/rad]; libfranka, ``setCartesianImpedance``."""
FILTER_RANGE_HZ = (1.0, 1000.0)
"""Cut-off frequencies; libfranka, ``setFilters``."""
MAX_LOAD_KG = 3.0
"""Payload of both robots without hand (data sheets)."""
MAX_LOAD_LEVER_M = 1.0
"""Largest entry of the centre of mass of a load. A larger one is a wrong unit, and its torque would
move the arm against the limits of its motors."""
MAX_LOAD_INERTIA = 10.0
"""Largest entry of the inertia of a load [kg m^2]."""

_SYMMETRY = 1e-9


def default_collision_behavior() -> CollisionBehavior:
    """Returns the thresholds at the start.

    The real ones are unpublished. These are 20 N m for every joint, and 30 N and 30 N m.
    """
    torque, force = np.full(7, 20.0), np.full(6, 30.0)
    return CollisionBehavior(
        lower_torque_acceleration=torque,
        upper_torque_acceleration=torque,
        lower_torque_nominal=torque,
        upper_torque_nominal=torque,
        lower_force_acceleration=force,
        upper_force_acceleration=force,
        lower_force_nominal=force,
        upper_force_nominal=force,
    )


class Settings:
    """The settings of a client, written to plant, controllers and state.

    The setters check their argument, not the mode of the robot.

    Args:
        plant: the physics, whose sites and load follow.
        state: the state, whose constant fields follow.

    Attributes:
        joint_impedance: the internal joint controller.
        cartesian_impedance: the internal Cartesian controller.
        collision_behavior: thresholds of contacts and collisions.
    """

    def __init__(self, plant: Plant, state: RobotState) -> None:
        self._plant = plant
        self._state = state
        inertia = np.diag(plant.inertia())
        self.joint_impedance = JointImpedance(inertia)
        self.cartesian_impedance = CartesianImpedance()
        self.collision_behavior = default_collision_behavior()
        self._flange_to_nominal = nominal_end_effector()
        self._nominal_to_end_effector = np.eye(4)
        self._end_effector_to_stiffness = np.eye(4)
        hand = hand_mass_properties(plant.model)
        state.m_ee[:] = hand.mass
        state.f_x_cee[:] = hand.centre
        state.i_ee[:] = hand.inertia.T.ravel()
        state.f_t_ne[:] = self._flange_to_nominal.T.ravel()
        state.o_ddp_o[:] = (0.0, 0.0, -9.81)
        self._place_frames()

    def set_collision_behavior(self, behavior: CollisionBehavior) -> SetterStatus:
        """Sets the thresholds; none is negative, a lower one is not above its upper one."""
        pairs = (
            (behavior.lower_torque_acceleration, behavior.upper_torque_acceleration),
            (behavior.lower_torque_nominal, behavior.upper_torque_nominal),
            (behavior.lower_force_acceleration, behavior.upper_force_acceleration),
            (behavior.lower_force_nominal, behavior.upper_force_nominal),
        )
        if not all((lower >= 0.0).all() and (lower <= upper).all() for lower, upper in pairs):
            return SetterStatus.INVALID_ARGUMENT
        self.collision_behavior = behavior
        return SetterStatus.SUCCESS

    def set_joint_impedance(self, stiffness: Array) -> SetterStatus:
        """Sets the stiffness of the joint controller, ``(7,)`` [N m/rad]."""
        if not ((stiffness >= 0.0) & (stiffness <= MAX_JOINT_STIFFNESS)).all():
            return SetterStatus.INVALID_ARGUMENT
        self.joint_impedance.set_stiffness(stiffness.tolist())
        return SetterStatus.SUCCESS

    def set_cartesian_impedance(self, stiffness: Array) -> SetterStatus:
        """Sets the stiffness of the Cartesian controller in K, ``(6,)`` [N/m, N m/rad]."""
        for part, (low, high) in zip(
            (stiffness[:3], stiffness[3:]), CARTESIAN_STIFFNESS_RANGE, strict=True
        ):
            if not ((part >= low) & (part <= high)).all():
                return SetterStatus.INVALID_ARGUMENT
        self.cartesian_impedance.set_stiffness(stiffness.tolist())
        return SetterStatus.SUCCESS

    def set_guiding_mode(self, free: tuple[bool, ...], null_space: bool) -> SetterStatus:
        """Accepts every choice of directions; an operator can guide the simulated arm in all."""
        del free, null_space
        return SetterStatus.SUCCESS

    def set_ee_to_k(self, frame: Array) -> SetterStatus:
        """Sets the stiffness frame, EE_T_K ``(16,)`` in column-major order."""
        if not is_transform(frame.tolist()):
            return SetterStatus.INVALID_ARGUMENT
        self._end_effector_to_stiffness = from_column_major(frame)
        self._place_frames()
        return SetterStatus.SUCCESS

    def set_ne_to_ee(self, frame: Array) -> SetterStatus:
        """Sets the end effector frame, NE_T_EE ``(16,)`` in column-major order."""
        if not is_transform(frame.tolist()):
            return SetterStatus.INVALID_ARGUMENT
        self._nominal_to_end_effector = from_column_major(frame)
        self._place_frames()
        return SetterStatus.SUCCESS

    def set_load(self, load: Load) -> SetterStatus:
        """Sets the load that gravity compensation carries; the simulated masses do not change."""
        inertia = load.inertia.reshape(3, 3)
        is_physical = (
            0.0 <= load.mass <= MAX_LOAD_KG
            and np.abs(load.centre_of_mass).max() <= MAX_LOAD_LEVER_M
            and np.abs(inertia).max() <= MAX_LOAD_INERTIA
            and np.abs(inertia - inertia.T).max() < _SYMMETRY
            and np.linalg.eigvalsh(inertia)[0] > -_SYMMETRY
        )
        if not is_physical:
            return SetterStatus.INVALID_ARGUMENT
        state = self._state
        state.m_load[:] = load.mass
        state.f_x_cload[:] = load.centre_of_mass
        state.i_load[:] = load.inertia
        lever = load.centre_of_mass + np.array((0.0, 0.0, FLANGE_IN_LINK7))
        self._plant.set_load(load.mass, lever)
        return SetterStatus.SUCCESS

    def set_filters(self, frequencies: Array) -> SetterStatus:
        """Checks the five cut-off frequencies [Hz]; the simulation does not filter commands."""
        low, high = FILTER_RANGE_HZ
        if not ((frequencies >= low) & (frequencies <= high)).all():
            return SetterStatus.INVALID_ARGUMENT
        return SetterStatus.SUCCESS

    def _place_frames(self) -> None:
        state = self._state
        end_effector = self._flange_to_nominal @ self._nominal_to_end_effector
        stiffness = end_effector @ self._end_effector_to_stiffness
        place_site(self._plant.model, END_EFFECTOR_SITE, end_effector)
        place_site(self._plant.model, STIFFNESS_SITE, stiffness)
        self._plant.refresh()
        state.ne_t_ee[:] = self._nominal_to_end_effector.T.ravel()
        state.ee_t_k[:] = self._end_effector_to_stiffness.T.ravel()
        state.f_t_ee[:] = end_effector.T.ravel()
