"""The pose of the cube from the tags of all cameras: on the table if the corners agree with that.

A pose with six unknowns from small tags is uncertain along the line of sight, and a single tag has
two solutions that look alike. A cube on the table has three unknowns. So each estimate begins with
a cube that rests on one of its faces; only if its corners are farther from their projections than
the limit, the cube is elsewhere, and all six unknowns are fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from skill_proto.arrays import Array
from skill_robots.objects import CUBE_SIZE

from .camera import Camera, angle_of, quaternion_of
from .detection import Tags
from .fit import (
    ANYWHERE,
    ON_TABLE,
    Corners,
    Fit,
    Motion,
    expecting,
    guess_on_table,
    refine,
    residual,
    rotation_of,
)
from .tags import CUBE_TAG_M, FACES, cube_corners, square

SURPRISE = 3.0
"""Largest difference of a fitted velocity from the expected one, in standard deviations."""

DISTINCT_RAD = 0.35
"""Two poses that differ by a larger rotation are different solutions."""

FORGET_S = 0.2
"""Older poses say no velocity [s]."""

VELOCITY_S = 0.05
"""Interval over which the velocity is computed [s]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sighting:
    """The cube's tags in one image."""

    camera: Camera
    exposed_s: float
    """Time of exposure [s]."""
    tags: Tags


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """A pose of the cube, world frame."""

    exposed_s: float
    """Time of the newest image [s]."""
    position: Array
    """``(3,)`` [m]."""
    rotation: Array
    """``(3, 3)``."""
    spin: Array
    """``(3,)`` angular velocity from the last poses, zero before there are two [rad/s]."""
    on_table: bool
    residual_px: float
    """Root mean square distance of the corners from their projections [px]."""
    tags: int
    """Tag sightings, over all cameras."""
    cameras: tuple[str, ...]
    """Names of the cameras that saw a tag."""

    @property
    def quaternion(self) -> Array:
        """``(4,)``, w first, w >= 0."""
        return quaternion_of(self.rotation)


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """No pose, and the reason."""

    reason: str
    residual_px: float
    tags: int


class Estimator:
    """Estimates poses of the cube, one after the other.

    Args:
        limit_px: largest residual of a pose that is reported [px].
    """

    def __init__(self, limit_px: float = 0.5) -> None:
        self._limit = limit_px
        self._body = cube_corners()
        self._past: list[Estimate] = []

    def estimate(self, sightings: Sequence[Sighting]) -> Estimate | Rejected | None:
        """Returns the pose at the time of the newest image; None if no tag is visible.

        Args:
            sightings: at most one of each camera, taken within some 40 ms.
        """
        seen = [sighting for sighting in sightings if sighting.tags.numbers]
        if not seen:
            return None
        now = max(sighting.exposed_s for sighting in seen)
        corners = self._corners(seen, now)
        velocity, spin = self._expected(now)
        table_fit = self._fit_on_table(corners, velocity, spin)
        if table_fit is not None and self._holds(table_fit):
            fit, on_table = table_fit, True
        else:
            fit, on_table = self._fit_anywhere(corners, seen, table_fit, velocity, spin), False
        if isinstance(fit, Rejected):
            return fit
        estimate = Estimate(
            exposed_s=now,
            position=fit.motion.position,
            rotation=fit.motion.rotation,
            spin=spin,
            on_table=on_table,
            residual_px=fit.residual_px,
            tags=corners.sightings,
            cameras=tuple(sighting.camera.name for sighting in seen),
        )
        self._past = [*(past for past in self._past if past.exposed_s > now - FORGET_S), estimate]
        return replace(estimate, spin=self._expected(now)[1])

    def _corners(self, seen: Sequence[Sighting], now: float) -> Corners:
        counts = [4 * len(sighting.tags.numbers) for sighting in seen]
        return Corners(
            body=np.concatenate([self._body[n] for s in seen for n in s.tags.numbers]),
            pixel=np.concatenate([s.camera.undistort(s.tags.corners.reshape(-1, 2)) for s in seen]),
            projection=np.repeat([s.camera.projection for s in seen], counts, axis=0),
            centre=np.repeat([s.camera.position for s in seen], counts, axis=0),
            later=np.repeat([s.exposed_s - now for s in seen], counts),
        )

    def _expected(self, now: float) -> tuple[Array, Array]:
        """Returns velocity and angular velocity from past poses; zero without past poses."""
        past = [estimate for estimate in self._past if estimate.exposed_s > now - FORGET_S]
        if len(past) < 2:
            return np.zeros(3), np.zeros(3)
        last = past[-1]
        first = next(
            (p for p in reversed(past) if p.exposed_s <= last.exposed_s - VELOCITY_S), past[0]
        )
        passed = last.exposed_s - first.exposed_s
        if passed < VELOCITY_S / 2:
            return np.zeros(3), np.zeros(3)
        turn, _ = cv2.Rodrigues(last.rotation @ first.rotation.T)
        return (last.position - first.position) / passed, turn.ravel() / passed

    def _holds(self, fit: Fit) -> bool:
        return fit.residual_px <= self._limit and fit.surprise <= SURPRISE

    # On the table ---------------------------------------------------------------------------------

    def _fit_on_table(self, corners: Corners, velocity: Array, spin: Array) -> Fit | None:
        """Fits a cube at rest on any of its faces.

        Up to a third of the tags, those that fit worst, are left out: the hand or a shadow may
        cover an edge. At least two remain.
        """
        first = fit = _best_on_table(corners, velocity, spin)
        for _ in range(corners.sightings // 3):
            if fit is None or self._holds(fit):
                return fit
            others = np.delete(np.arange(corners.sightings), int(np.argmax(fit.by_sighting_px)))
            corners = corners.only(others)
            fit = _best_on_table(corners, velocity, spin)
        return fit if fit is not None and self._holds(fit) else first

    # Elsewhere ------------------------------------------------------------------------------------

    def _fit_anywhere(
        self,
        corners: Corners,
        seen: Sequence[Sighting],
        table_fit: Fit | None,
        velocity: Array,
        spin: Array,
    ) -> Fit | Rejected:
        starts = [motion for sighting in seen for motion in _from_single_tags(sighting)]
        if table_fit is not None:
            starts.append(table_fit.motion)
        fits = [refine(corners, expecting(m, velocity, spin), ANYWHERE) for m in starts]
        fits.sort(key=lambda fit: fit.residual_px)
        best, count = fits[0], corners.sightings
        if not self._holds(best):
            return Rejected(
                reason=(
                    f"the corners are {best.residual_px:.1f} px from those of any cube, the limit "
                    f"is {self._limit:g} px: a camera has moved, or tags are on the wrong faces. "
                    "Fix: run 'extrinsics' again"
                ),
                residual_px=best.residual_px,
                tags=count,
            )
        if count == 1 or any(_is_rival(best, other) for other in fits[1:]):
            return Rejected(
                reason=(
                    "the cube is not on the table, and its visible tags fit two poses. "
                    "Fix: a second camera that sees the cube from another side"
                ),
                residual_px=best.residual_px,
                tags=count,
            )
        return best


def _best_on_table(corners: Corners, velocity: Array, spin: Array) -> Fit | None:
    """Returns the best fit over the faces on which the cube may rest."""
    guesses = [
        guess
        for resting in RESTING
        if (guess := guess_on_table(corners, resting, CUBE_SIZE / 2)) is not None
    ]
    guesses.sort(key=lambda guess: residual(corners, guess))
    fits = [refine(corners, expecting(guess, velocity, spin), ON_TABLE) for guess in guesses[:2]]
    return min(fits, key=lambda fit: fit.residual_px, default=None)


def _from_single_tags(sighting: Sighting) -> list[Motion]:
    """Returns both solutions of each tag alone (Collins and Bartoli, IJCV 2014), largest first."""
    camera, faces = sighting.camera, {face.tag: face for face in FACES}
    motions: list[Motion] = []
    areas = [cv2.contourArea(corners.astype(np.float32)) for corners in sighting.tags.corners]
    for index in np.argsort(areas)[::-1][:2]:
        face = faces[sighting.tags.numbers[index]]
        _, turns, shifts, _ = cv2.solvePnPGeneric(
            square(CUBE_TAG_M),
            camera.undistort(sighting.tags.corners[index]),
            camera.matrix,
            None,
            flags=cv2.SOLVEPNP_IPPE_SQUARE,
        )
        for turn, shift in zip(turns, shifts, strict=True):
            tag_to_world = camera.rotation.T @ cv2.Rodrigues(turn)[0]
            rotation = tag_to_world @ face.rotation.T
            tag = camera.position + camera.rotation.T @ shift.ravel()
            centre = tag - rotation @ (CUBE_SIZE / 2 * np.array(face.normal))
            motions.append(
                Motion(position=centre, rotation=rotation, velocity=np.zeros(3), spin=np.zeros(3))
            )
    return motions


def _is_rival(best: Fit, other: Fit) -> bool:
    """Returns whether another pose explains the corners nearly as well."""
    angle = angle_of(best.motion.rotation.T @ other.motion.rotation)
    return angle > DISTINCT_RAD and other.residual_px < 2 * best.residual_px + 0.1


def _resting() -> tuple[Array, ...]:
    """Returns the rotation that turns each face upwards, +z first."""
    up = np.array([0.0, 0.0, 1.0])
    rotations: list[Array] = []
    for face in sorted(FACES, key=lambda face: face.name != "+z"):
        normal = np.array(face.normal, float)
        axis = np.cross(normal, up)
        if not axis.any():
            axis = np.array([1.0, 0.0, 0.0])
        angle = np.arccos(np.clip(normal @ up, -1.0, 1.0))
        rotations.append(rotation_of(angle * axis / np.linalg.norm(axis)))
    return tuple(rotations)


RESTING = _resting()
"""Rotations of a cube that rests on the table at yaw 0, one for each upper face."""
