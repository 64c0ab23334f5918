"""Kinematics of the Panda and the FR3: poses, Jacobian and inverse steps, batched numpy.

Joint frames follow Franka's published Denavit-Hartenberg table in Craig's convention (Franka
Control Interface documentation, "Robot and interface specifications"); the two arms share it.
Every pose is in the base frame. Batch comes first in every shape; units are metres and radians.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, sin
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array

NEUTRAL: Array = np.array(
    [0.0, 0.5717807782411134, 0.0, -2.0177687979429444, 0.0, 2.5895495761840577, np.pi / 4]
)
"""Joint configuration of the low start: end effector at (0.6, 0, 0.06), hand straight down."""
NEUTRAL.flags.writeable = False

END_EFFECTOR_IN_HAND = 0.1034
"""Franka's nominal end effector, along the hand's z axis [m]."""

FLANGE_IN_LINK7 = 0.107
"""Flange along the seventh joint's axis [m]; the hand's frame sits in it, turned by -pi/4."""

_TWIST = (0, -1, 1, 1, -1, 1, 1)
"""Turn about the parent's x axis before each joint, in quarter turns."""

_OFFSET = (
    (0.0, 0.0, 0.333),
    (0.0, 0.0, 0.0),
    (0.0, -0.316, 0.0),
    (0.0825, 0.0, 0.0),
    (-0.0825, 0.384, 0.0),
    (0.0, 0.0, 0.0),
    (0.088, 0.0, 0.0),
)
"""Origin of each joint frame in its parent's [m]."""

_STILL = (0.0,) * 7

_HALF_SQRT2 = float(np.sqrt(0.5))

_FEW = 2
"""Arms up to which plain floats are faster than numpy: one, measured and told."""

Point = tuple[float, float, float]
"""[m], or a direction."""


class EndEffector(NamedTuple):
    """Pose of the end effector in the base frame."""

    position: Array
    """``(n, 3)`` [m]."""
    rotation: Array
    """``(n, 3, 3)``, columns are the axes of the end effector's frame."""


class JointFrames(NamedTuple):
    """Poses of the seven joint frames in the base frame; joint i turns about the z axis of i."""

    position: Array
    """``(n, 7, 3)`` [m]."""
    rotation: Array
    """``(n, 7, 3, 3)``."""


def joint_frames(joint_position: Array) -> JointFrames:
    """Poses of the seven joint frames for joint positions ``(n, 7)``."""
    origins, axes = _chain(joint_position)
    return JointFrames(origins.transpose(2, 0, 1), axes.transpose(3, 0, 2, 1))


def forward(joint_position: Array) -> EndEffector:
    """Pose of the end effector for joint positions ``(n, 7)``."""
    return _end_effector(*_chain(joint_position))


def forward_point(joint_position: Sequence[float]) -> tuple[float, float, float]:
    """Position of the end effector of one arm [m]; see :func:`moving_point`."""
    return moving_point(joint_position, _STILL)[0]


def moving_point(
    joint_position: Sequence[float], joint_velocity: Sequence[float]
) -> tuple[Point, Point]:
    """Position [m] and velocity [m/s] of the end effector of one arm.

    From plain floats, for what runs at the servo rate: numpy's calls take longer than the numbers.
    A single point is carried from the last frame back to the base, and its velocity with it, each
    joint adding ``w z x p``.
    """
    x, y, z = 0.0, 0.0, FLANGE_IN_LINK7 + END_EFFECTOR_IN_HAND
    u, v, w = 0.0, 0.0, 0.0
    for i in range(6, -1, -1):
        c, s, rate = cos(joint_position[i]), sin(joint_position[i]), joint_velocity[i]
        x, y = c * x - s * y, s * x + c * y
        u, v = c * u - s * v - rate * y, s * u + c * v + rate * x
        if _TWIST[i] > 0:
            y, z = -z, y
            v, w = -w, v
        elif _TWIST[i] < 0:
            y, z = z, -y
            v, w = w, -v
        along_x, along_y, along_z = _OFFSET[i]
        x, y, z = x + along_x, y + along_y, z + along_z
    return (x, y, z), (u, v, w)


def forward_with_jacobian(joint_position: Array) -> tuple[EndEffector, Array]:
    """Pose of the end effector and its geometric Jacobian, for joint positions ``(n, 7)``.

    Returns:
        The pose, and the Jacobian ``(n, 6, 7)``: rows 0-2 give the linear velocity of the end
        effector's origin, rows 3-5 its angular velocity, both in the base frame.
    """
    origins, axes = _chain(joint_position)
    end_effector = _end_effector(origins, axes)
    z = axes[:, 2]
    lever = end_effector.position.T - origins
    jacobian = np.empty((origins.shape[2], 6, 7))
    rows = jacobian.transpose(2, 1, 0)
    rows[:, 0] = z[:, 1] * lever[:, 2] - z[:, 2] * lever[:, 1]
    rows[:, 1] = z[:, 2] * lever[:, 0] - z[:, 0] * lever[:, 2]
    rows[:, 2] = z[:, 0] * lever[:, 1] - z[:, 1] * lever[:, 0]
    rows[:, 3:] = z
    return end_effector, jacobian


def damped_least_squares(
    jacobian: Array,
    twist: Array,
    joint_position: Array,
    rest: Array,
    *,
    damping: float = 1e-3,
    rest_gain: float = 0.1,
) -> Array:
    """Joint step that follows a twist and drifts towards a rest configuration where free to.

    With ``dq0 = rest_gain (rest - q)`` the step is
    ``dq = dq0 + J^T (J J^T + damping I)^-1 (twist - J dq0)``: damped least squares (Nakamura and
    Hanafusa, "Inverse kinematic solutions with singularity robustness for robot manipulator
    control", 1986) with the rest motion projected towards the null space (Liegeois, 1977).

    Args:
        jacobian: ``(n, 6, 7)``, as from :func:`forward_with_jacobian`.
        twist: ``(n, 6)``, wanted displacement [m] and rotation vector [rad], base frame.
        joint_position: ``(n, 7)`` [rad].
        rest: ``(7,)`` [rad].
        damping: added to the diagonal; bounds the step near singular poses.
        rest_gain: share of the way to rest wished for in one step.

    Returns:
        Joint step ``(n, 7)`` [rad].
    """
    towards_rest = rest_gain * (rest - joint_position)
    transposed = jacobian.transpose(0, 2, 1)
    gram = jacobian @ transposed
    gram[:, range(6), range(6)] += damping
    residual = twist[:, :, None] - jacobian @ towards_rest[:, :, None]
    return towards_rest + (transposed @ np.linalg.solve(gram, residual))[:, :, 0]


def _chain(joint_position: Array) -> tuple[Array, Array]:
    """Origins ``(7, 3, n)`` and axes ``(7, axis, 3, n)`` of the joint frames.

    The batch runs last so that each of the few numpy calls works on whole rows; every link twist
    is a quarter turn, so that it only swaps and negates axes.
    """
    n = joint_position.shape[0]
    if n <= _FEW:
        return _chain_of_few(joint_position)
    cosine = np.cos(joint_position.T)
    sine = np.sin(joint_position.T)
    origins = np.empty((7, 3, n))
    axes = np.empty((7, 3, 3, n))
    x, y, z = np.eye(3)[:, :, None]
    origin = np.zeros((3, 1))
    for i, (along_x, along_y, along_z) in enumerate(_OFFSET):
        if along_x:
            origin = origin + along_x * x
        if along_y:
            origin = origin + along_y * y
        if along_z:
            origin = origin + along_z * z
        if _TWIST[i] > 0:
            y, z = z, -y
        elif _TWIST[i] < 0:
            y, z = -z, y
        c, s = cosine[i], sine[i]
        x, y = c * x + s * y, c * y - s * x
        origins[i] = origin
        frame = axes[i]
        frame[0], frame[1], frame[2] = x, y, z
    return origins, axes


def _chain_of_few(joint_position: Array) -> tuple[Array, Array]:
    """The same, to the last digit, in plain floats: a few take less time than numpy's calls."""
    origins: list[list[Point]] = []
    axes: list[list[tuple[Point, Point, Point]]] = []
    turns = np.cos(joint_position).tolist(), np.sin(joint_position).tolist()
    for cosines, sines in zip(*turns, strict=True):
        x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
        at_x, at_y, at_z = 0.0, 0.0, 0.0
        points: list[Point] = []
        frames: list[tuple[Point, Point, Point]] = []
        for cosine, sine, twist, (a, b, c) in zip(cosines, sines, _TWIST, _OFFSET, strict=True):
            at_x = at_x + a * x[0] + b * y[0] + c * z[0]
            at_y = at_y + a * x[1] + b * y[1] + c * z[1]
            at_z = at_z + a * x[2] + b * y[2] + c * z[2]
            if twist > 0:
                y, z = z, (-y[0], -y[1], -y[2])
            elif twist < 0:
                y, z = (-z[0], -z[1], -z[2]), y
            x, y = (
                (
                    cosine * x[0] + sine * y[0],
                    cosine * x[1] + sine * y[1],
                    cosine * x[2] + sine * y[2],
                ),
                (
                    cosine * y[0] - sine * x[0],
                    cosine * y[1] - sine * x[1],
                    cosine * y[2] - sine * x[2],
                ),
            )
            points.append((at_x, at_y, at_z))
            frames.append((x, y, z))
        origins.append(points)
        axes.append(frames)
    return np.array(origins).transpose(1, 2, 0), np.array(axes).transpose(1, 2, 3, 0)


def _end_effector(origins: Array, axes: Array) -> EndEffector:
    x, y, z = axes[6]
    reach = FLANGE_IN_LINK7 + END_EFFECTOR_IN_HAND
    rotation = np.empty((origins.shape[2], 3, 3))
    columns = rotation.transpose(2, 1, 0)
    columns[0] = _HALF_SQRT2 * (x - y)
    columns[1] = _HALF_SQRT2 * (x + y)
    columns[2] = z
    return EndEffector((origins[6] + reach * z).T, rotation)
