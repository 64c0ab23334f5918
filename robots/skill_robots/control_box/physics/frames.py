"""Frames and masses beyond the flange: F flange, NE nominal end effector, EE end effector, K.

A frame crosses the interface as a 4x4 homogeneous matrix in column-major order; here it is a
``(4, 4)`` array.
"""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.kinematics import END_EFFECTOR_IN_HAND, FLANGE_IN_LINK7

MAX_TRANSLATION_M = 10.0
"""Largest entry of a translation; beyond it lies no frame of a robot, and numbers overflow [m]."""

_TRANSFORM_TOLERANCE = 1e-5
"""Largest deviation of a transform's axes from unit length and right angles. libfranka's clients
check frames with the same number."""

_BODIES = ("panda_hand", "panda_leftfinger", "panda_rightfinger")


def from_column_major(numbers: Array) -> Array:
    """Returns a ``(4, 4)`` copy of 16 numbers in column-major order."""
    return numbers.reshape(4, 4).T.copy()


def is_transform(numbers: list[float]) -> bool:
    """Returns whether 16 numbers in column-major order are a rotation and a translation.

    The translation must be at most :data:`MAX_TRANSLATION_M` along each axis.
    Plain floats, because a client may command a frame in every cycle.
    """
    a, b, c, d, e, f, g, h, i = numbers[0:3] + numbers[4:7] + numbers[8:11]
    deviations = (
        *(a * a + b * b + c * c - 1.0, d * d + e * e + f * f - 1.0, g * g + h * h + i * i - 1.0),
        *(a * d + b * e + c * f, d * g + e * h + f * i, g * a + h * b + i * c),
        *(numbers[3], numbers[7], numbers[11], numbers[15] - 1.0),
    )
    if max(map(abs, deviations)) > _TRANSFORM_TOLERANCE:
        return False
    if max(map(abs, numbers[12:15])) > MAX_TRANSLATION_M:
        return False
    # Right-handed: the determinant of a matrix with orthonormal columns is 1 or -1.
    return a * (e * i - f * h) - d * (b * i - c * h) + g * (b * f - c * e) > 0.0


def nominal_end_effector() -> Array:
    """Returns F_T_NE ``(4, 4)`` of the Franka Hand: turned by -45 degrees, at the fingertips."""
    frame = np.eye(4)
    half = np.sqrt(0.5)
    frame[:2, :2] = [[half, half], [-half, half]]
    frame[2, 3] = END_EFFECTOR_IN_HAND
    return frame


def place_site(model: mujoco.MjModel, name: str, flange_to_frame: Array) -> None:
    """Moves a site of the last link to a frame that is given in F, ``(4, 4)``."""
    site = model.site(name).id
    model.site_pos[site] = flange_to_frame[:3, 3]
    model.site_pos[site, 2] += FLANGE_IN_LINK7
    mujoco.mju_mat2Quat(model.site_quat[site], flange_to_frame[:3, :3].ravel())
    # Otherwise MuJoCo may take the pose of the body for that of the site.
    model.site_sameframe[site] = mujoco.mjtSameFrame.mjSAMEFRAME_NONE


class MassProperties(NamedTuple):
    """Mass and inertia of a rigid body beyond the flange."""

    mass: float
    """[kg]."""
    centre: Array
    """``(3,)`` centre of mass in F [m]."""
    inertia: Array
    """``(3, 3)`` about the centre of mass, in F [kg m^2]."""


def hand_mass_properties(model: mujoco.MjModel) -> MassProperties:
    """Returns hand and closed fingers as one body: the end effector that a robot is set up with.

    The masses of the model are those that the arm carries, so a client's model of the arm equals
    the plant's with closed fingers.
    """
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    hand = data.body("panda_hand")
    turn = nominal_end_effector()[:3, :3]
    masses, centres, tensors = [], [], []
    for name in _BODIES:
        body = data.body(name)
        to_flange = turn @ hand.xmat.reshape(3, 3).T
        axes = to_flange @ body.ximat.reshape(3, 3)
        masses.append(float(model.body(name).mass[0]))
        centres.append(to_flange @ (body.xipos - hand.xpos))
        tensors.append(axes @ np.diag(model.body(name).inertia) @ axes.T)
    return _combined(masses, centres, tensors)


def _combined(masses: list[float], centres: list[Array], tensors: list[Array]) -> MassProperties:
    """Combines bodies by Steiner's theorem."""
    mass = sum(masses)
    centre = sum((m * c for m, c in zip(masses, centres, strict=True)), np.zeros(3)) / mass
    inertia = np.zeros((3, 3))
    for m, c, tensor in zip(masses, centres, tensors, strict=True):
        lever = c - centre
        inertia += tensor + m * (lever @ lever * np.eye(3) - np.outer(lever, lever))
    return MassProperties(mass, centre, inertia)
