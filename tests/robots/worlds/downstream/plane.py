"""A world of points in the plane, for the tests of tasks."""

from __future__ import annotations

from typing import Any

import numpy as np

from skill_proto.arrays import Array, Ids
from skill_proto.manifest import ActionPart, ObservationField
from skill_robots.worlds.world import Coordinates, Step, WorldSpec

METRES = Coordinates(names=("place.0", "place.1"), unit="m", cell=1.0)


class Plane:
    """n points that start at the origin and move by their action; beyond ``end`` they end."""

    def __init__(
        self, n: int, *, coordinates: Coordinates | None = METRES, end: float = np.inf
    ) -> None:
        self.n = n
        self.spec = WorldSpec(
            name="plane",
            title="the plane",
            observation=(ObservationField(name="place", size=2, unit="m", frame="world"),),
            action=(
                ActionPart(name="actuator_command", size=2, scale=1.0, unit="m", frame="none"),
            ),
            episode_steps=100,
            control_rate_hz=10.0,
            coordinates=coordinates,
            has_terminals=True,
        )
        self.place = np.zeros((n, 2))
        self._end = end

    def reset(self, ids: Ids | None = None) -> Array:
        """Puts points to the origin."""
        self.place[slice(None) if ids is None else ids] = 0.0
        return self.place.copy()

    def step(self, action: Array) -> Step:
        """Moves the points."""
        self.place = self.place + action
        beyond = self.place[:, 0] > self._end
        return Step(self.place.copy(), np.full(self.n, 7.0), beyond, beyond)

    def coordinates(self) -> Array:
        """Returns the places."""
        return self.place

    def hidden(self) -> Array:
        """Nothing is hidden."""
        return np.zeros((self.n, 0))

    def state_dict(self) -> dict[str, Any]:
        """There is no generator."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is no generator."""

    def close(self) -> None:
        """Has no effect."""


class Walker:
    """A low level: the action is the skill."""

    def __init__(self) -> None:
        self.seen: list[Array] = []

    def reset(self, n: int) -> None:
        """Starts episodes."""

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns the skill."""
        assert skill is not None
        self.seen.append(observation)
        return skill
