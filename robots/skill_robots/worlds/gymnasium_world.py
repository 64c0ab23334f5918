"""Any Gymnasium environment with real-valued observations and actions, as a world."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Space
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from skill_proto.arrays import Array, Ids
from skill_proto.manifest import ActionPart, ObservationField
from skill_proto.validation_text import describe_errors
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.world import Coordinates, Quantity, Step, WorldSpec

DEFAULT_STEPS = 200
"""Episode length of an environment that registers none [control steps]."""

MakeEnvironment = Callable[[], "gymnasium.Env[Any, Any]"]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class GymnasiumConfig:
    """A Gymnasium environment in training."""

    environment: str
    """Name of the environment; see ``worlds.registry``."""
    episode_steps: Annotated[int, Field(ge=1)] | None = None
    """Control steps of an episode; None: the limit with which Gymnasium registers it, or 200. A
    time limit that a function of your own adds ends an episode too."""
    terminals: bool = True
    """Whether a terminal of the environment has the value 0. If not, its episode ends all the same,
    as by a time limit."""
    coordinates: tuple[str, ...] = ()
    """Observation entries that coverage is about, as 'field.component'; () for none."""
    cell: Annotated[float, Field(gt=0)] = 1.0
    """Side of a cell of coverage, in the unit of the coordinates."""
    hidden: tuple[str, ...] = ()
    """Names of hidden quantities; the environment gives them in the ``info`` of its reset."""
    settings: tuple[str, ...] = ()
    """Arguments of ``gymnasium.make``, as 'name=value' with the value in JSON."""
    processes: bool = False
    """Whether each scene runs in a process of its own. It pays if a step takes a millisecond."""


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
        WorldError: the environment cannot be made, or has no real-valued observation and action.
    """

    def __init__(
        self,
        make: MakeEnvironment,
        config: GymnasiumConfig,
        n: int,
        *,
        seed: int = 0,
    ) -> None:
        self.n = n
        self.config = config
        self.rng = np.random.default_rng(seed)
        one = _made(config.environment, make)
        try:
            self.spec = environment_spec(one, config)
            self._keys = _box_keys(one.observation_space)
            action = one.action_space
        finally:
            one.close()
        assert isinstance(action, Box)
        low, high = action.low.ravel().astype(np.float64), action.high.ravel().astype(np.float64)
        self._centre, self._half_range = (high + low) / 2, (high - low) / 2
        self._action_shape, self._action_type = action.shape, action.dtype
        places = self.spec.indices(config.coordinates)
        self._places = np.array(places, dtype=np.int64)
        vector = AsyncVectorEnv if config.processes else SyncVectorEnv
        self._environments = vector([make] * n, autoreset_mode=AutoresetMode.DISABLED)
        self._hidden = np.zeros((n, len(config.hidden)))
        try:
            self._observation = self.reset()
        except BaseException:
            self.close()
            raise

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids``.

        Raises:
            WorldError: The environment does not report a hidden quantity.
        """
        seeds = self.rng.integers(2**31, size=self.n).tolist()
        mask = np.ones(self.n, dtype=np.bool_)
        if ids is not None:
            mask[:] = False
            mask[ids] = True
        observation, info = self._environments.reset(seed=seeds, options={"reset_mask": mask})
        for place, name in enumerate(self.config.hidden):
            if name not in info:
                raise WorldError(
                    f"{self.spec.title} reports no {name!r} in the info of its reset, only "
                    f"{', '.join(info) or 'nothing'}; correct --task.hidden"
                )
            self._hidden[mask, place] = np.asarray(info[name], dtype=np.float64)[mask]
        self._observation = self._rows(observation)
        return self._observation

    def step(self, action: Array) -> Step:
        """Runs one control step."""
        scaled = self._centre + self._half_range * np.clip(action, -1.0, 1.0)
        shaped = scaled.reshape(self.n, *self._action_shape).astype(self._action_type)
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
        observation=_fields(name, environment.observation_space),
        action=(_action(name, environment.action_space),),
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
    return dataclasses.replace(
        spec, coordinates=Coordinates(names=names, unit="1", cell=config.cell)
    )


def _made(name: str, make: MakeEnvironment) -> gymnasium.Env[Any, Any]:
    try:
        made = make()
    except Exception as error:  # whatever a stranger's environment raises
        raise WorldError(f"the environment {name!r} cannot be made: {error}") from error
    if not isinstance(made, gymnasium.Env):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise WorldError(
            f"{name!r} made a {type(made).__name__}, not a gymnasium.Env; see docs/worlds.md"
        )
    return made


def _box_keys(space: Space[Any]) -> list[str]:
    """Returns the keys of a ``Dict`` in order; empty for a ``Box``."""
    return list(space.spaces) if isinstance(space, Dict) else []


def _fields(name: str, space: Space[Any]) -> tuple[ObservationField, ...]:
    boxes: Mapping[str, Space[Any]]
    boxes = space.spaces if isinstance(space, Dict) else {"observation": space}
    fields: list[ObservationField] = []
    for key, box in boxes.items():
        if not isinstance(box, Box) or not np.issubdtype(box.dtype, np.floating):
            raise WorldError(
                f"the environment {name!r} observes {key!r} as {box}; this takes real numbers "
                "(Box with a floating-point type), alone or in one Dict. Wrap the environment with "
                "gymnasium.wrappers.TransformObservation"
            )
        size = int(np.prod(box.shape))
        fields.append(ObservationField(name=key, size=size, unit="1", frame="none"))
    return tuple(fields)


def _action(name: str, space: Space[Any]) -> ActionPart:
    if not isinstance(space, Box) or not space.is_bounded():
        raise WorldError(
            f"the environment {name!r} acts by {space}; this takes a Box with finite bounds. Wrap "
            "the environment with gymnasium.wrappers.TransformAction"
        )
    largest = float(np.abs([space.low, space.high]).max())
    return ActionPart(
        name="actuator_command",
        size=int(np.prod(space.shape)),
        scale=largest,
        unit="1",
        frame="none",
    )


def _rate_hz(environment: gymnasium.Env[Any, Any]) -> float:
    """Returns the control rate, or 1 if the environment states none [Hz]."""
    step_s = getattr(environment.unwrapped, "dt", None)
    if isinstance(step_s, float) and step_s > 0:
        return 1.0 / step_s
    return float(environment.metadata.get("render_fps") or 1.0)
