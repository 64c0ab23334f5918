"""Published limits of the Panda (FER) and the FR3, and their models as values.

The limits are from the Franka Control Interface documentation, "Robot and interface
specifications", and from the constants of libfranka's ``rate_limiting.h``; the FR3 rows are those
of robot systems from 5.9 on. An FR3 also reports its ranges, velocity limits and position-based
velocity limits itself, in its URDF (``urdf_limits``); the numbers here are the documentation's.

The impedance is a choice of this project, not a published value: soft enough that pushing forces
stay near those that a contact reflex allows, stiff enough to push the training range of objects
(docs/plant.md).
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec, PositionBasedVelocityLimit
from skill_robots.franka import fr3
from skill_robots.franka.collision import FrankaCollisionModel
from skill_robots.franka.kinematics import FrankaKinematics


def _vector(*values: float) -> Array:
    vector = np.array(values, dtype=np.float64)
    vector.flags.writeable = False
    return vector


_STIFFNESS = _vector(600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0)
_DAMPING = _vector(*(2.0 * np.sqrt(_STIFFNESS)))
_TORQUE = _vector(87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
_GRIPPER_WIDTH = 0.08
_KINEMATICS = FrankaKinematics()

_NEUTRAL = _vector(
    0.0, 0.5717807782411134, 0.0, -2.0177687979429444, 0.0, 2.5895495761840577, np.pi / 4
)
"""Low start of the tabletop: end effector at (0.6, 0, 0.06), pointing straight down."""

_REACH = _vector(1.05, 1.05, 0.8, 0.75, 0.4, 0.35, 0.15)
"""Sums of the link lengths beyond each axis (Denavit-Hartenberg table) and of half the gripper's
width [m]."""

_END_EFFECTOR_REACH = _vector(1.02, 1.02, 0.704, 0.621, 0.229, 0.229, 0.0)
"""Sums from the same table [m]; the end effector lies on the last joint's axis."""

PANDA = ArmSpec(
    name="panda",
    joint_names=tuple(f"panda_joint{i}" for i in range(1, 8)),
    position_low=_vector(-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973),
    position_high=_vector(2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973),
    velocity_limit=_vector(2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61),
    acceleration_limit=_vector(15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0),
    jerk_limit=_vector(7500.0, 3750.0, 5000.0, 6250.0, 7500.0, 10000.0, 10000.0),
    torque_limit=_TORQUE,
    stiffness=_STIFFNESS,
    damping=_DAMPING,
    gripper_width_max=_GRIPPER_WIDTH,
    end_effector_speed=1.7,
    neutral=_NEUTRAL,
    reach=_REACH,
    end_effector_reach=_END_EFFECTOR_REACH,
    kinematics=_KINEMATICS,
    collision_model=FrankaCollisionModel,
)
"""Franka Emika Panda, also sold as Franka Emika Robot (FER)."""

FR3 = ArmSpec(
    name="fr3",
    joint_names=tuple(f"fr3_joint{i}" for i in range(1, 8)),
    position_low=_vector(*fr3.POSITION_LOW),
    position_high=_vector(*fr3.POSITION_HIGH),
    velocity_limit=_vector(2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26),
    acceleration_limit=_vector(*(10.0,) * 7),
    jerk_limit=_vector(*(5000.0,) * 7),
    torque_limit=_TORQUE,
    stiffness=_STIFFNESS,
    damping=_DAMPING,
    gripper_width_max=_GRIPPER_WIDTH,
    end_effector_speed=3.0,
    position_based_velocity_limit=PositionBasedVelocityLimit(
        offset=_vector(0.6599, 0.2517, 0.2000, 0.3533, 0.5757, 0.4878, 0.4628),
        deceleration=_vector(6.0, 2.585, 3.5, 4.0, 17.0, 5.5, 17.0),
    ),
    neutral=_NEUTRAL,
    reach=_REACH,
    end_effector_reach=_END_EFFECTOR_REACH,
    kinematics=_KINEMATICS,
    collision_model=FrankaCollisionModel,
)
"""Franka Research 3, robot system 5.9 or newer."""
