"""The observation of a varied body: parts of ``qpos`` and ``qvel``, as SaMI's worlds show them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import ObservationField
from skill_robots.worlds.mujoco_world import MujocoWorld
from skill_robots.worlds.varied.body import VariedBody

SPEED = ObservationField(name="forward_velocity", size=1, unit="m/s", frame="world")
ROTATION = ObservationField(name="torso_rotation", size=9, unit="1", frame="world")
POSITION = ObservationField(name="torso_position", size=3, unit="m", frame="world")


class BodyObservation:
    """Observes the scenes of a body.

    Args:
        row: The body.
        scenes: Its scenes.

    Attributes:
        fields: The observed fields, in order.
    """

    def __init__(self, row: VariedBody, scenes: MujocoWorld) -> None:
        self._row, self._scenes = row, scenes
        model, batch = scenes.model, scenes.batch
        self._first_velocity = model.nq - row.unobserved
        self._torso = model.body("torso").id
        self.fields = tuple(_fields(row, scenes.spec.observation))
        if row.pose_observed:
            self._rotations, self._positions = batch.bind("xmat"), batch.bind("xpos")

    def __call__(self, state: Array) -> Array:
        """Returns the observation ``(n, O)``.

        Rotation and position of the torso are one physics step old after a step, as in the release.

        Args:
            state: ``qpos`` and ``qvel`` of all scenes ``(n, nq + nv)``.
        """
        row = self._row
        parts = [state[:, row.unobserved :]]
        if row.velocity_bound is not None:
            parts[0] = parts[0].copy()
            velocity = parts[0][:, self._first_velocity :]
            np.clip(velocity, -row.velocity_bound, row.velocity_bound, out=velocity)
        if row.speed_observed:
            parts.insert(0, self._scenes.forward[:, None])
        if row.pose_observed:
            torso = self._torso
            parts += [self._rotations[:, torso].reshape(-1, 9), self._positions[:, torso]]
        return np.concatenate(parts, axis=1)


def _fields(row: VariedBody, state: tuple[ObservationField, ...]) -> Iterator[ObservationField]:
    """Yields the observed fields; a root without x and y has a height."""
    if row.speed_observed:
        yield SPEED
    left = row.unobserved
    for field in state:
        hidden = min(left, field.size)
        left -= hidden
        if not hidden:
            yield field
        elif field.size > hidden:
            name = field.name.replace("position", "height")
            yield field.model_copy(update={"name": name, "size": field.size - hidden})
    if row.pose_observed:
        yield from (ROTATION, POSITION)
