"""Published limits of the Panda (FER) and the FR3, and the impedance policies are trained on.

Limits: Franka Control Interface documentation, "Robot and interface specifications", and the
constants of libfranka's ``rate_limiting.h``; the FR3 rows are those of robot systems from 5.9 on.
The FR3 also bounds velocity by the distance to a joint's end. Each robot reports the numbers of
that bound itself (``position_based_velocity_limits`` of its URDF); those here are the
documentation's.

The impedance is ours, not a datasheet's: soft enough that pushing forces stay near those a contact
reflex allows, stiff enough to push the training range of objects (docs/plant.md).
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec, PositionBasedVelocityLimit


def _vector(*values: float) -> Array:
    vector = np.array(values, dtype=np.float64)
    vector.flags.writeable = False
    return vector


_STIFFNESS = _vector(600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0)
_DAMPING = _vector(*(2.0 * np.sqrt(_STIFFNESS)))
_TORQUE = _vector(87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0)
_GRIPPER_WIDTH = 0.08

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
)
"""Franka Emika Panda, also sold as Franka Emika Robot (FER)."""

FR3 = ArmSpec(
    name="fr3",
    joint_names=tuple(f"fr3_joint{i}" for i in range(1, 8)),
    position_low=_vector(-2.9007, -1.8361, -2.9007, -3.0770, -2.8763, 0.4398, -3.0508),
    position_high=_vector(2.9007, 1.8361, 2.9007, -0.1169, 2.8763, 4.6216, 3.0508),
    velocity_limit=_vector(2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26),
    acceleration_limit=_vector(*(10.0,) * 7),
    jerk_limit=_vector(*(5000.0,) * 7),
    torque_limit=_TORQUE,
    stiffness=_STIFFNESS,
    damping=_DAMPING,
    gripper_width_max=_GRIPPER_WIDTH,
    end_effector_speed=3.0,
    velocity_limit_near_ends=PositionBasedVelocityLimit(
        offset=_vector(0.6599, 0.2517, 0.2000, 0.3533, 0.5757, 0.4878, 0.4628),
        deceleration=_vector(6.0, 2.585, 3.5, 4.0, 17.0, 5.5, 17.0),
    ),
)
"""Franka Research 3, robot system 5.9 or newer."""
