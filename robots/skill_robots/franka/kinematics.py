"""Kinematics of the Panda and the FR3: poses and Jacobian in batched numpy or plain floats.

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
from skill_robots.kinematics import EndEffectorPose, Point

END_EFFECTOR_IN_HAND = 0.1034
"""Franka's nominal end effector, along the z axis of the hand's frame [m]."""

FLANGE_IN_LINK7 = 0.107
"""Flange along the seventh joint's axis [m]; the hand's frame is at the flange, turned by -pi/4."""

_TWIST = (0, -1, 1, 1, -1, 1, 1)
"""Rotation about the parent's x axis before each joint, in quarter turns."""

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
"""Up to this many configurations plain floats are faster than numpy. One served arm needs two: the
measured joints and the set-point."""


class JointFrames(NamedTuple):
    """Poses of the seven joint frames in the base frame; each joint turns about the z axis."""

    position: Array
    """``(n, 7, 3)`` [m]."""
    rotation: Array
    """``(n, 7, 3, 3)``."""


class FrankaKinematics:
    """Implements ``Kinematics`` for the Panda and the FR3."""

    def forward(self, joint_position: Array) -> EndEffectorPose:
        """Returns the poses of the end effector for joint positions ``(n, 7)``."""
        return _end_effector(*_chain(joint_position))

    def forward_with_jacobian(self, joint_position: Array) -> tuple[EndEffectorPose, Array]:
        """Returns the poses and the geometric Jacobians for joint positions ``(n, 7)``.

        Returns:
            The poses, and the Jacobians ``(n, 6, 7)``: rows 0-2 give the linear velocity of the
            end effector's origin, rows 3-5 its angular velocity, both in the base frame.
        """
        if len(joint_position) <= _FEW:
            return _jacobian_of_few(joint_position)
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

    def forward_point(self, joint_position: Sequence[float]) -> Point:
        """Returns the position of one end effector [m], from plain floats."""
        return self.forward_point_with_velocity(joint_position, _STILL)[0]

    def forward_point_with_velocity(
        self, joint_position: Sequence[float], joint_velocity: Sequence[float]
    ) -> tuple[Point, Point]:
        """Returns position [m] and velocity [m/s] of one end effector, from plain floats.

        For a single arm the overhead of numpy exceeds the arithmetic. The point and its velocity
        are transformed from the last frame back to the base, and each joint adds ``rate z x p`` to
        the velocity.
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

    def joint_frames(self, joint_position: Array) -> JointFrames:
        """Returns the poses of the seven joint frames for joint positions ``(n, 7)``."""
        origins, axes = _chain(joint_position)
        return JointFrames(origins.transpose(2, 0, 1), axes.transpose(3, 0, 2, 1))


def _chain(joint_position: Array) -> tuple[Array, Array]:
    """Returns origins ``(7, 3, n)`` and axes ``(7, axis, 3, n)`` of the joint frames.

    The batch is the last axis, so that each numpy call works on whole rows. Every link twist is a
    quarter turn, so that it only swaps and negates axes.
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


Axes = tuple[Point, Point, Point]
"""The axes of a joint frame, x, y and z."""


def _chain_of_few(joint_position: Array) -> tuple[Array, Array]:
    """Computes the numbers of :func:`_chain`, bit for bit, in plain floats."""
    frames = _frames_of_few(joint_position)
    origins = np.array([[origin for origin, _ in joints] for joints in frames])
    axes = np.array([[axes for _, axes in joints] for joints in frames])
    return origins.transpose(1, 2, 0), axes.transpose(1, 2, 3, 0)


def _frames_of_few(joint_position: Array) -> list[list[tuple[Point, Axes]]]:
    """Returns origin and axes of the joint frames of each arm."""
    # numpy's functions: those of the math module may round differently.
    turns = np.cos(joint_position).tolist(), np.sin(joint_position).tolist()
    return [_frames_of_one(cosines, sines) for cosines, sines in zip(*turns, strict=True)]


def _frames_of_one(cosines: list[float], sines: list[float]) -> list[tuple[Point, Axes]]:
    """Returns origin and axes of each joint frame of one arm."""
    x, y, z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    at_x, at_y, at_z = 0.0, 0.0, 0.0
    frames: list[tuple[Point, Axes]] = []
    for cosine, sine, twist, (a, b, c) in zip(cosines, sines, _TWIST, _OFFSET, strict=True):
        at_x = at_x + a * x[0] + b * y[0] + c * z[0]
        at_y = at_y + a * x[1] + b * y[1] + c * z[1]
        at_z = at_z + a * x[2] + b * y[2] + c * z[2]
        if twist > 0:
            y, z = z, (-y[0], -y[1], -y[2])
        elif twist < 0:
            y, z = (-z[0], -z[1], -z[2]), y
        x, y = (
            (cosine * x[0] + sine * y[0], cosine * x[1] + sine * y[1], cosine * x[2] + sine * y[2]),
            (cosine * y[0] - sine * x[0], cosine * y[1] - sine * x[1], cosine * y[2] - sine * x[2]),
        )
        frames.append(((at_x, at_y, at_z), (x, y, z)))
    return frames


def _jacobian_of_few(joint_position: Array) -> tuple[EndEffectorPose, Array]:
    """Computes poses and Jacobians in plain floats."""
    reach = FLANGE_IN_LINK7 + END_EFFECTOR_IN_HAND
    positions: list[Point] = []
    rotations: list[list[Point]] = []
    jacobians: list[list[tuple[float, ...]]] = []
    for frames in _frames_of_few(joint_position):
        (at_x, at_y, at_z), (x, y, z) = frames[6]
        tip_x, tip_y, tip_z = at_x + reach * z[0], at_y + reach * z[1], at_z + reach * z[2]
        columns: list[tuple[float, ...]] = []
        for (at_x, at_y, at_z), (_, _, (u, v, w)) in frames:
            a, b, c = tip_x - at_x, tip_y - at_y, tip_z - at_z
            columns.append((v * c - w * b, w * a - u * c, u * b - v * a, u, v, w))
        positions.append((tip_x, tip_y, tip_z))
        rotations.append(
            [
                (_HALF_SQRT2 * (p - q), _HALF_SQRT2 * (p + q), r)
                for p, q, r in zip(x, y, z, strict=True)
            ]
        )
        jacobians.append(columns)
    pose = EndEffectorPose(np.array(positions), np.array(rotations))
    return pose, np.array(jacobians).transpose(0, 2, 1)


def _end_effector(origins: Array, axes: Array) -> EndEffectorPose:
    x, y, z = axes[6]
    reach = FLANGE_IN_LINK7 + END_EFFECTOR_IN_HAND
    rotation = np.empty((origins.shape[2], 3, 3))
    columns = rotation.transpose(2, 1, 0)
    columns[0] = _HALF_SQRT2 * (x - y)
    columns[1] = _HALF_SQRT2 * (x + y)
    columns[2] = z
    return EndEffectorPose((origins[6] + reach * z).T, rotation)
