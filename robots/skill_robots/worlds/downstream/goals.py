"""Goals for the coordinates of a world, one after the other.

With four goals this is AntMultiGoal, with one HalfCheetahGoal (``envs/mujoco/ant_nav_prime_env.py``
and ``half_cheetah_goal_env.py`` of CSF's code, reward type ``esparse``): 1 for each control step,
but the first of an episode, whose end is within the radius. A goal is replaced after its number of
steps, whether it was reached or not.

Differences from that code (there -> here), with the reason:
    - The second to fourth goal of AntMultiGoal are drawn when the environment is made, in a chain
      that does not begin with the first goal -> all goals of a chain are drawn for each episode, as
      the names of the task and of its variables say.
    - The goal is observed -> the way from the body to the goal. The body's position is observed
      too, so both carry the same information. The way begins at the observed position, with its
      sensor noise, which is all that a policy file has; reward and scores take the exact one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from skill_proto.arrays import Array, Flags, Ids
from skill_proto.manifest import ObservationField
from skill_robots.tasks.scene_arguments import ids_to_reset
from skill_robots.worlds.downstream.config import GoalsConfig
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.world import Coordinates, Step, World, WorldSpec

FIELD = "goal_offset"
"""Observation field that the task adds: goal minus observed coordinates."""


class GoalsWorld:
    """n scenes of a world, each with goals for its coordinates; implements ``TaskWorld``.

    Args:
        world: The scenes, with episodes that are not shorter than the task's.
        config: The goals.
        seed: Seed of the goals.

    Attributes:
        spec: The description.
        n: Number of scenes.
        task_size: Number of coordinates.
        goals: ``(n, goals, C)`` goals of the present episodes.

    Raises:
        WorldError: The world has no coordinates, or no range or radius of goals is given.
    """

    def __init__(self, world: World, config: GoalsConfig, *, seed: int = 0) -> None:
        self._world = world
        self.config = config
        self.n = world.n
        self._box, self._radius = goal_range(config, world.spec)
        self.task_size = self._box.shape[1]
        assert world.spec.coordinates is not None
        self._places = world.spec.indices(world.spec.coordinates.names)
        self.spec = _spec(config, world.spec)
        self._random = np.random.default_rng([seed, 7])
        self._steps = np.zeros(self.n, dtype=np.int64)
        self._within = np.zeros((self.n, config.goals), dtype=np.int64)
        self.goals = np.zeros((self.n, config.goals, self.task_size))
        self.reset()

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids``, with new goals."""
        ids = ids_to_reset(ids, self.n)
        observation = self._world.reset(ids)
        self.goals[ids] = self._draw(len(ids))
        self._steps[ids] = 0
        self._within[ids] = 0
        return self._with_offset(observation)

    def step(self, action: Array) -> Step:
        """Runs one control step; the reward is 1 within the radius of the goal, else 0."""
        step = self._world.step(action)
        self._steps += 1
        number = self._number(self._steps - 1)
        rewarded = self._near(number) & (self._steps > 1)
        if step.valid is not None:
            rewarded &= step.valid
        self._within[np.arange(self.n), number] += rewarded
        over = self._steps >= self.spec.episode_steps
        return Step(
            self._with_offset(step.observation),
            rewarded.astype(np.float64),
            step.terminated | over,
            step.ended | over,
            step.valid,
        )

    def scores(self) -> dict[str, Array]:
        """Returns the goals reached, the first and the later ones apart, and the steps within."""
        reached = (self._within > 0).astype(np.float64)
        scores = {
            "goals_reached": reached.sum(axis=1),
            "first_goal_share": reached[:, 0],
            "steps_at_goals": self._within.sum(axis=1).astype(np.float64),
        }
        later = {"later_goals_share": reached[:, 1:].mean(axis=1)} if self.config.goals > 1 else {}
        return scores | later

    def coordinates(self) -> Array:
        """Returns the coordinates of the world ``(n, C)``."""
        return self._world.coordinates()

    def hidden(self) -> Array:
        """Returns the hidden quantities of the world ``(n, K)``."""
        return self._world.hidden()

    def state_dict(self) -> dict[str, Any]:
        """Returns the generators of world and goals."""
        return {"world": self._world.state_dict(), "random": self._random.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the generators."""
        self._world.load_state_dict(state["world"])
        self._random.bit_generator.state = state["random"]

    def close(self) -> None:
        """Frees the world."""
        self._world.close()

    def _draw(self, count: int) -> Array:
        """Draws the goals of ``count`` episodes, ``(count, goals, C)``."""
        low, high = self._box
        drawn = self._random.uniform(low, high, (count, self.config.goals, self.task_size))
        return drawn if self.config.half_range is None else drawn.cumsum(axis=1)

    def _number(self, steps: Ids) -> Ids:
        """Returns the number of each scene's goal after so many control steps, ``(n,)``."""
        return np.minimum(steps // self.config.steps_per_goal, self.config.goals - 1)

    def _offset(self, number: Ids, place: Array) -> Array:
        """Returns the way from a place to the goal of that number, ``(n, C)``."""
        return self.goals[np.arange(self.n), number] - place

    def _near(self, number: Ids) -> Flags:
        """Returns which scenes are within the radius of the goal of that number, ``(n,)``."""
        offset = self._offset(number, self._world.coordinates())
        return np.linalg.norm(offset, axis=1) <= self._radius

    def _with_offset(self, observation: Array) -> Array:
        """Appends the way from the observed place to the goal of the next step."""
        way = self._offset(self._number(self._steps), observation[:, self._places])
        return np.concatenate((observation, way), axis=1)


def goal_range(config: GoalsConfig, spec: WorldSpec) -> tuple[Array, float]:
    """Returns the ends of the range from which goals are drawn ``(2, C)``, and their radius.

    Raises:
        WorldError: The world has no coordinates, or no range or radius of goals is given.
    """
    coordinates = spec.coordinates
    if coordinates is None:
        raise WorldError(
            f"{spec.title} has no coordinates, so it can have no goals; declare them when the "
            "skills are trained: skill-train csf --task.coordinates FIELD.0 ..."
        )
    if not set(coordinates.names) <= set(spec.entries):
        raise WorldError(f"{spec.title} does not observe where it is, so it can have no goals")
    return _box(config, coordinates, spec.title), _radius(config, coordinates, spec.title)


def _box(config: GoalsConfig, coordinates: Coordinates, title: str) -> Array:
    size = len(coordinates.names)
    if config.half_range is not None:
        return config.half_range * np.array([[-1.0] * size, [1.0] * size])
    if not coordinates.goal_low:
        raise WorldError(f"{title} declares no range of goals; give --task.half-range")
    return np.array([coordinates.goal_low, coordinates.goal_high])


def _radius(config: GoalsConfig, coordinates: Coordinates, title: str) -> float:
    radius = config.radius or coordinates.goal_radius
    if radius <= 0.0:
        raise WorldError(f"{title} declares no radius of goals; give --task.radius")
    return radius


def _spec(config: GoalsConfig, spec: WorldSpec) -> WorldSpec:
    coordinates = spec.coordinates
    assert coordinates is not None
    offset = ObservationField(
        name=FIELD, size=len(coordinates.names), unit=coordinates.unit, frame="world"
    )
    return dataclasses.replace(
        spec,
        name=config.name,
        title=f"the task {config.name!r}" if config.name != spec.name else f"goals in {spec.title}",
        observation=(*spec.observation, offset),
        episode_steps=config.episode_steps,
        has_terminals=True,
    )
