"""Any Gymnasium environment with real-valued observations and actions, as a world."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.spaces import Dict
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from pydantic import ValidationError

from skill_proto.arrays import Array, Ids
from skill_proto.validation_text import describe_errors
from skill_robots.tasks.scene_arguments import check_scenes, checked_action, ids_to_reset
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.gymnasium_env.checked import MakeEnvironment, make_checked
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.gymnasium_env.spaces import action_part, action_range, observation_fields
from skill_robots.worlds.world import Coordinates, Quantity, Step, WorldSpec

DEFAULT_STEPS = 200
"""Episode length of an environment that registers none [control steps]."""

_Lost = (EOFError, BrokenPipeError, ConnectionError)
"""Errors of a process that has ended."""


class GymnasiumWorld:
    """n environments behind the interface of a world; implements ``World``.

    An environment with a ``Dict`` observation has a field for each of its boxes; one with a ``Box``
    has the field ``observation``. Each episode starts with a seed of this world, so that a resumed
    run draws the same starts.

    Args:
        make: Returns a new environment.
        config: Episodes and coordinates.
        n: Number of scenes.
        seed: Seed of the starts.

    Raises:
        WorldError: the environment cannot be made, has no real-valued observation and action, or
            ``n`` or ``seed`` is no whole number from 1 or 0.
    """

    def __init__(
        self,
        make: MakeEnvironment,
        config: GymnasiumConfig,
        n: int,
        *,
        seed: int = 0,
    ) -> None:
        check_scenes(n, seed)
        self.n = n
        self.config = config
        self.rng = np.random.default_rng(seed)
        name = config.environment
        checked = partial(make_checked, name, make, config.hidden)
        one = checked()
        try:
            self.spec = environment_spec(one, config)
            observed, action = one.observation_space, one.action_space
        finally:
            one.close()
        self._keys = list(observed.spaces) if isinstance(observed, Dict) else []
        self._centre, self._half_range = action_range(name, action)
        self._action_shape, self._action_type = action.shape or (), action.dtype
        places = self.spec.indices(config.coordinates)
        self._places = np.array(places, dtype=np.int64)
        vector = AsyncVectorEnv if config.processes else SyncVectorEnv
        self._environments = vector([checked] * n, autoreset_mode=AutoresetMode.DISABLED)
        self._hidden = np.zeros((n, len(config.hidden)))
        try:
            self._observation = self.reset()
        except BaseException:
            self.close()
            raise

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids``.

        Raises:
            WorldError: The environment fails, its result is not usable, or a scene does not exist.
        """
        mask = np.zeros(self.n, dtype=np.bool_)
        mask[ids_to_reset(ids, self.n)] = True
        seeds = self.rng.integers(2**31, size=self.n).tolist()
        with self._processes_alive():
            observation, info = self._environments.reset(seed=seeds, options={"reset_mask": mask})
        for place, name in enumerate(self.config.hidden):
            self._hidden[mask, place] = np.asarray(info[name], dtype=np.float64)[mask]
        self._observation = self._rows(observation)
        return self._observation

    def step(self, action: Array) -> Step:
        """Runs one control step with actions ``(n, A)``, clipped to [-1, 1].

        Raises:
            WorldError: The actions have another shape, or are not finite; the environment fails, or
                its result is not usable.
        """
        given = checked_action(action, self.n, self.spec.action_size)
        scaled = self._centre + self._half_range * np.clip(given, -1.0, 1.0)
        shaped = scaled.reshape(self.n, *self._action_shape).astype(self._action_type)
        with self._processes_alive():
            observation, reward, terminated, truncated, _ = self._environments.step(shaped)
        self._observation = self._rows(observation)
        return Step(
            self._observation,
            np.asarray(reward, dtype=np.float64),
            terminated & self.config.terminals,
            terminated | truncated,
        )

    def coordinates(self) -> Array:
        """Returns the observed coordinates ``(n, C)``."""
        return self._observation[:, self._places]

    def hidden(self) -> Array:
        """Returns the hidden quantities of each episode ``(n, K)``."""
        return self._hidden.copy()

    def state_dict(self) -> dict[str, Any]:
        """Returns the generator of the seeds."""
        return {"rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the generator of the seeds."""
        self.rng.bit_generator.state = state["rng"]

    def close(self) -> None:
        """Closes the environments."""
        if not self._environments.closed:
            self._environments.close()

    @contextmanager
    def _processes_alive(self) -> Generator[None]:
        """Ends all processes if one has ended in the block.

        Raises:
            WorldError: a process has ended.
        """
        try:
            yield
        except _Lost as error:
            if isinstance(self._environments, AsyncVectorEnv):
                # Its own close would wait for the answer of the process that has ended.
                for process in self._environments.processes:
                    process.kill()
                    process.join()
                self._environments.closed = True
            raise WorldError(
                f"a process of the environment {self.config.environment!r} has ended "
                f"({type(error).__name__}); without --task.processes its error is shown"
            ) from error

    def _rows(self, observation: object) -> Array:
        """Returns the observations as rows ``(n, O)``."""
        if self._keys:
            by_key = cast("Mapping[str, Array]", observation)
            parts: list[object] = [by_key[key] for key in self._keys]
        else:
            parts = [observation]
        rows = [np.asarray(part, dtype=np.float64).reshape(self.n, -1) for part in parts]
        return np.concatenate(rows, axis=1)


def environment_spec(environment: gymnasium.Env[Any, Any], config: GymnasiumConfig) -> WorldSpec:
    """Returns the description of an environment's world.

    Raises:
        WorldError: it has no real-valued observation and action.
    """
    name = config.environment
    try:
        return _spec(name, environment, config)
    except ValidationError as error:
        raise WorldError(f"the environment {name!r}: {describe_errors(error)}") from None


def _spec(name: str, environment: gymnasium.Env[Any, Any], config: GymnasiumConfig) -> WorldSpec:
    spec = WorldSpec(
        name=name,
        title=f"the environment {name!r}",
        observation=observation_fields(name, environment.observation_space),
        action=(action_part(name, environment.action_space),),
        episode_steps=config.episode_steps or DEFAULT_STEPS,
        control_rate_hz=_rate_hz(environment),
        hidden=tuple(Quantity(name=hidden) for hidden in config.hidden),
        has_terminals=config.terminals,
    )
    if not config.coordinates:
        return spec
    try:
        places = spec.indices(config.coordinates)
    except ValueError as error:
        raise WorldError(f"the coordinates of coverage: {error}") from None
    names = tuple(spec.entries[place] for place in places)
    if len(set(names)) < len(names):
        raise WorldError(f"the coordinates of coverage name an entry twice: {', '.join(names)}")
    return dataclasses.replace(
        spec, coordinates=Coordinates(names=names, unit="1", cell=config.cell)
    )


def _rate_hz(environment: gymnasium.Env[Any, Any]) -> float:
    """Returns the control rate, or 1 if the environment states none [Hz]."""
    step_s = getattr(environment.unwrapped, "dt", None)
    if isinstance(step_s, float) and step_s > 0:
        return 1.0 / step_s
    return float(environment.metadata.get("render_fps") or 1.0)
