"""HalfCheetahHurdle: bars across the way of HalfCheetah.

As ``envs/mujoco/half_cheetah_hurdle_env.py`` and its MJCF in CSF's code: twelve bars, which the
body can touch. The reward is 1 for each bar in front of the start that the back foot passes, and -1
for each that it passes again on the way back. The observation ends with the place of the next bar
and its distance from the back foot.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from skill_proto.arrays import Array, Ids
from skill_proto.manifest import ObservationField
from skill_robots.tasks.scene_arguments import ids_to_reset
from skill_robots.worlds.downstream.config import HurdlesConfig
from skill_robots.worlds.mujoco_world import BodyConfig, Integrator, MujocoWorld
from skill_robots.worlds.world import Step

HURDLES_M = (-15.0, -13.0, -9.0, -5.0, -1.0, 3.0, 7.0, 11.0, 15.0, 19.0, 23.0, 27.0)
"""The x of each bar [m]."""

HALF_SIZE_M = (0.05, 1.0, 0.03)
HEIGHT_M = 0.2
"""Half the size of a bar, and the height of its centre [m]."""

BEYOND_M = 15.0
"""The x of the next bar, if there is none [m]."""

FIELDS = (
    ObservationField(name="next_hurdle_position", size=1, unit="m", frame="world"),
    ObservationField(name="back_foot_distance", size=1, unit="m", frame="none"),
)
"""Observation fields that the task adds."""


class HurdlesWorld:
    """n HalfCheetahs, each with bars across its way; implements ``TaskWorld``.

    Args:
        config: The task.
        n: Number of scenes.
        integrator: Integrator of the physics.
        seed: Seed of the starts.
        threads: Physics threads.

    Attributes:
        spec: The description.
        n: Number of scenes.
        task_size: 2.
    """

    def __init__(
        self,
        config: HurdlesConfig,
        n: int,
        *,
        integrator: Integrator = "euler",
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        body = BodyConfig(
            body="half_cheetah", episode_steps=config.episode_steps, integrator=integrator
        )
        self._body = MujocoWorld(body, n, seed=seed, threads=threads, scenery=bars())
        self.n = n
        self.task_size = len(FIELDS)
        spec = self._body.spec
        self.spec = dataclasses.replace(
            spec,
            name=config.name,
            title=f"the task {config.name!r}",
            observation=(*spec.observation, *FIELDS),
            has_terminals=True,
        )
        self._steps = np.zeros(n, dtype=np.int64)
        self._at_start, self._left = np.zeros(n), np.zeros(n)
        self.reset()

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids``."""
        ids = ids_to_reset(ids, self.n)
        observation = self._body.reset(ids)
        self._steps[ids] = 0
        self._left[ids] = hurdles_left(self._foot())[ids]
        self._at_start[ids] = self._left[ids]
        return self._with_hurdle(observation)

    def step(self, action: Array) -> Step:
        """Runs one control step; the reward is the number of bars passed in it."""
        step = self._body.step(action)
        self._steps += 1
        left = hurdles_left(self._foot())
        if step.valid is not None:
            left = np.where(step.valid, left, self._left)
        reward, self._left = self._left - left, left
        over = self._steps >= self.spec.episode_steps
        return Step(
            self._with_hurdle(step.observation),
            reward,
            step.terminated | over,
            step.ended | over,
            step.valid,
        )

    def scores(self) -> dict[str, Array]:
        """Returns the number of bars that the back foot has passed."""
        return {"hurdles_passed": self._at_start - self._left}

    def coordinates(self) -> Array:
        """Returns x ``(n, 1)`` [m]."""
        return self._body.coordinates()

    def hidden(self) -> Array:
        """Returns ``(n, 0)``: no quantity is hidden."""
        return self._body.hidden()

    def state_dict(self) -> dict[str, Any]:
        """Returns the generator of the starts."""
        return self._body.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the generator of the starts."""
        self._body.load_state_dict(state)

    def close(self) -> None:
        """Frees the body."""
        self._body.close()

    def _foot(self) -> Array:
        """Returns x of the back foot ``(n,)`` [m]."""
        return self._body.body_position("bfoot")[:, 0]

    def _with_hurdle(self, observation: Array) -> Array:
        foot = self._foot()
        following = next_hurdle(foot)
        return np.column_stack((observation, following, np.abs(following - foot)))


def bars() -> str:
    """Returns the bars in MJCF."""
    size = " ".join(f"{half:g}" for half in HALF_SIZE_M)
    return "".join(
        f'<geom name="hurdle-{number}" type="box" pos="{x:g} 0 {HEIGHT_M:g}" size="{size}" '
        'conaffinity="1" condim="3" rgba="0.8 0.9 0.8 1"/>'
        for number, x in enumerate(HURDLES_M)
    )


def hurdles_left(foot: Array) -> Array:
    """Returns how many bars at x >= 0 are not behind the back foot, for its x ``(n,)`` [m]."""
    ahead = np.array([x for x in HURDLES_M if x >= 0.0])
    return (ahead >= foot[:, None]).sum(axis=1).astype(np.float64)


def next_hurdle(foot: Array) -> Array:
    """Returns x of the first bar that is not behind the back foot, for its x ``(n,)`` [m]."""
    places = np.array([*HURDLES_M, BEYOND_M])
    number = np.searchsorted(HURDLES_M, foot, side="left")
    return places[number]
