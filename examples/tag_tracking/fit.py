"""Least squares of the cube's pose over the corners of all visible tags of all cameras.

The unknowns are a pose, and the velocities that carry the cube from the time of one camera's image
to that of another. Corners are pixels without lens distortion, so a camera is one 3 x 4 matrix.
The method is that of Levenberg and Marquardt (Nocedal and Wright, Numerical Optimization, 2006,
section 10.3) with the derivatives of the projection in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skill_proto.arrays import Array, Ids

NOISE_PX = 0.3
"""Standard deviation of a corner [px]; weighs corners against the expected velocities."""

SPEED_M_S, SPIN_RAD_S = 0.3, 3.0
"""Standard deviations of the velocities from the expected ones, for a cube that is pushed."""

ITERATIONS = 20

ON_TABLE = (0, 1, 5, 6, 7, 11)
"""Unknowns of a cube on the table: x, y, yaw and their rates, of the twelve in a :class:`Motion`.
"""

ANYWHERE = tuple(range(12))
"""All unknowns."""

_PRIOR = np.repeat([0.0, 0.0, (NOISE_PX / SPEED_M_S) ** 2, (NOISE_PX / SPIN_RAD_S) ** 2], 3)


@dataclass(frozen=True, kw_only=True, eq=False)
class Corners:
    """The corners of all tag sightings, one a row; every sighting has four consecutive rows."""

    body: Array
    """``(m, 3)`` places in the cube frame [m]."""
    pixel: Array
    """``(m, 2)`` seen, without distortion [px]."""
    projection: Array
    """``(m, 3, 4)`` projection of the camera that saw it."""
    centre: Array
    """``(m, 3)`` position of that camera [m]."""
    later: Array
    """``(m,)`` exposure after the time of the pose; negative: before it [s]."""

    @property
    def sightings(self) -> int:
        """Number of tag sightings."""
        return len(self.body) // 4

    def only(self, sightings: Ids) -> Corners:
        """Returns the corners of these sightings."""
        rows = (4 * np.asarray(sightings)[:, None] + np.arange(4)).ravel()
        return Corners(
            body=self.body[rows],
            pixel=self.pixel[rows],
            projection=self.projection[rows],
            centre=self.centre[rows],
            later=self.later[rows],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Motion:
    """Pose and velocities of the cube, world frame."""

    position: Array
    """``(3,)`` [m]."""
    rotation: Array
    """``(3, 3)`` from the cube frame to the world."""
    velocity: Array
    """``(3,)`` [m/s]."""
    spin: Array
    """``(3,)`` angular velocity [rad/s]."""

    def moved(self, step: Array) -> Motion:
        """Returns the motion after a step ``(12,)`` in position, rotation vector, velocities."""
        return Motion(
            position=self.position + step[0:3],
            rotation=rotation_of(step[3:6]) @ self.rotation,
            velocity=self.velocity + step[6:9],
            spin=self.spin + step[9:12],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A fitted motion."""

    motion: Motion
    residual_px: float
    """Root mean square distance of the corners from their projections [px]."""
    by_sighting_px: Array
    """The same for each sighting, ``(k,)``."""
    surprise: float
    """Largest difference of a velocity from the expected one, in standard deviations."""


def refine(corners: Corners, start: Motion, free: tuple[int, ...]) -> Fit:
    """Fits the free unknowns to the corners, from a start near the solution.

    Args:
        corners: at least one sighting.
        start: first guess; its velocities are also the expected ones.
        free: numbers of the unknowns, :data:`ON_TABLE` or :data:`ANYWHERE`.
    """
    columns, prior = list(free), _PRIOR[list(free)]
    motion, damping = start, 1e-3
    error, jacobian = _error(corners, motion)
    cost = _cost(error, motion, start)
    for _ in range(ITERATIONS):
        slopes = jacobian[:, columns]
        normal = slopes.T @ slopes + np.diag(prior)
        gradient = slopes.T @ error + prior * _difference(motion, start)[columns]
        step = np.zeros(12)
        scale = np.diag(np.diag(normal) + 1e-9)
        step[columns] = -np.linalg.solve(normal + damping * scale, gradient)
        candidate = motion.moved(step)
        new_error, new_jacobian = _error(corners, candidate)
        new_cost = _cost(new_error, candidate, start)
        if new_cost > cost:
            damping *= 10
            continue
        small = cost - new_cost < 1e-9 * (1 + cost)
        motion, error, jacobian, cost = candidate, new_error, new_jacobian, new_cost
        damping = max(damping / 10, 1e-9)
        if small:
            break
    squares = (error.reshape(-1, 4, 2) ** 2).sum(axis=2)
    away = np.abs(_difference(motion, start)[6:])
    return Fit(
        motion=motion,
        residual_px=float(np.sqrt(squares.mean())),
        by_sighting_px=np.sqrt(squares.mean(axis=1)),
        surprise=float((away / np.repeat([SPEED_M_S, SPIN_RAD_S], 3)).max()),
    )


def guess_on_table(corners: Corners, resting: Array, height: float) -> Motion | None:
    """Returns the first guess of a cube that rests on the table; None if no ray meets the table.

    The height of each corner is known, so its ray has one intersection with the horizontal plane
    at that height. The intersections give x, y and yaw in closed form: the Procrustes problem of
    the plane.

    Args:
        corners: at least one sighting.
        resting: ``(3, 3)`` rotation of the cube at yaw 0.
        height: height of the cube's centre [m].
    """
    arm = corners.body @ resting.T
    homogeneous = np.column_stack([corners.pixel, np.ones(len(corners.pixel))])
    rays = np.linalg.solve(corners.projection[:, :, :3], homogeneous[:, :, None])[:, :, 0]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    down = rays[:, 2] < -0.05
    if not down.any():
        return None
    arm, rays, centre = arm[down], rays[down], corners.centre[down]
    reach = (height + arm[:, 2] - centre[:, 2]) / rays[:, 2]
    seen = (centre + reach[:, None] * rays)[:, :2]
    here, there = arm[:, :2] - arm[:, :2].mean(axis=0), seen - seen.mean(axis=0)
    cross = here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0]
    yaw = np.arctan2(cross.sum(), (here * there).sum())
    turn = rotation_of(np.array([0.0, 0.0, yaw]))
    place = seen.mean(axis=0) - turn[:2, :2] @ arm[:, :2].mean(axis=0)
    return Motion(
        position=np.array([*place, height]),
        rotation=turn @ resting,
        velocity=np.zeros(3),
        spin=np.zeros(3),
    )


def expecting(motion: Motion, velocity: Array, spin: Array) -> Motion:
    """Returns the same pose with other velocities."""
    return replace(motion, velocity=velocity, spin=spin)


def residual(corners: Corners, motion: Motion) -> float:
    """Returns the root mean square distance of the corners from their projections [px]."""
    error, _ = _error(corners, motion)
    return float(np.sqrt(2 * np.mean(error**2)))


def _error(corners: Corners, motion: Motion) -> tuple[Array, Array]:
    """Returns the differences ``(2m,)`` [px] and their derivatives ``(2m, 12)``."""
    arm = corners.body @ motion.rotation.T
    later = corners.later[:, None]
    point = motion.position + arm + later * (motion.velocity + np.cross(motion.spin, arm))
    linear = corners.projection[:, :, :3]
    image = np.einsum("mij,mj->mi", linear, point) + corners.projection[:, :, 3]
    depth = np.maximum(image[:, 2], 1e-3)[:, None]
    pixel = image[:, :2] / depth
    by_place = (linear[:, :2] - pixel[:, :, None] * linear[:, 2:]) / depth[:, :, None]
    by_turn = -by_place @ _cross_matrix(arm)
    parts = [by_place, by_turn, later[:, :, None] * by_place, later[:, :, None] * by_turn]
    return (pixel - corners.pixel).ravel(), np.concatenate(parts, axis=2).reshape(-1, 12)


def _cost(error: Array, motion: Motion, start: Motion) -> float:
    return float(error @ error + _PRIOR @ _difference(motion, start) ** 2)


def _difference(motion: Motion, start: Motion) -> Array:
    """Returns velocities minus expected ones at their places among the unknowns ``(12,)``."""
    return np.concatenate([np.zeros(6), motion.velocity - start.velocity, motion.spin - start.spin])


def _cross_matrix(vectors: Array) -> Array:
    """Returns the matrices ``(m, 3, 3)`` of the cross products with ``(m, 3)``."""
    x, y, z = vectors.T
    zero = np.zeros_like(x)
    return np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]).transpose(2, 0, 1)


def rotation_of(vector: Array) -> Array:
    """Returns the rotation ``(3, 3)`` of a rotation vector (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    axis = _cross_matrix(vector[None] / angle)[0]
    return np.eye(3) + np.sin(angle) * axis + (1 - np.cos(angle)) * axis @ axis
