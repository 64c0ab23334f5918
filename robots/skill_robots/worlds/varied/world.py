"""n scenes of a body with hidden quantities, stepped as one batch."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import numpy as np
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from skill_proto.arrays import Array, Ids
from skill_robots.tasks.scene_arguments import checked_action, checked_ids, ids_to_reset
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.mujoco_world import BodyConfig, Integrator, MujocoWorld
from skill_robots.worlds.varied.body import VariedBody
from skill_robots.worlds.varied.observation import BodyObservation
from skill_robots.worlds.varied.table import VARIED
from skill_robots.worlds.varied.variation import Variation
from skill_robots.worlds.world import Quantity, Split, Step, WorldSpec


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class VariedConfig:
    """A body whose hidden quantities differ between episodes."""

    body: str = "varied_ant"
    """Name of the body."""
    contexts: Split = "train"
    """Set from which the hidden quantities of an episode are drawn."""
    episode_steps: Annotated[int, Field(ge=1)] = 2000
    """Control steps of an episode."""
    integrator: Integrator = "euler"
    """'file': that of the MJCF, RK4 for all but HalfCheetah. 'euler' computes forces once a physics
    step, RK4 four times."""


class VariedWorld:
    """n scenes of one body with hidden quantities; implements ``World``.

    Reward, observation, start and length of episodes are those of SaMI's code; ``table`` states the
    differences. An episode does not end at a fall.

    Args:
        config: The body, its episodes and its contexts.
        n: Number of scenes.
        seed: Seed of starts and contexts.
        threads: Physics threads.

    Attributes:
        spec: The description.
        n: Number of scenes.
        bodies: The scenes, without the observation of this world.

    Raises:
        WorldError: There is no such body, its MJCF is not installed, or ``n`` or ``seed`` is no
            whole number from 1 or 0.
    """

    def __init__(self, config: VariedConfig, n: int, *, seed: int = 0, threads: int = 1) -> None:
        self._row = row = find_varied(config.body)
        self._split: Split = config.contexts
        plain = BodyConfig(
            body=row.name, episode_steps=config.episode_steps, integrator=config.integrator
        )
        self.n = n
        self.bodies = MujocoWorld(plain, n, seed=seed, threads=threads, body=row)
        self._observed = BodyObservation(row, self.bodies)
        self._variation = Variation(row, self.bodies)
        self.spec = _spec(row, config, self.bodies.spec, self._observed)
        self._hidden = np.zeros((n, len(row.contexts.names)))
        self._fixed = np.full(self._hidden.shape, np.nan)
        self.reset()

    def reset(self, ids: Ids | None = None) -> Array:
        """Starts an episode in the scenes ``ids``, each in a context of its own."""
        ids = ids_to_reset(ids, self.n)
        drawn = self._row.contexts.draw(self._split, len(ids), self.bodies.rng)
        fixed = self._fixed[ids]
        self._hidden[ids] = np.where(np.isnan(fixed), drawn, fixed)
        self._variation.apply(ids, self._hidden[ids])
        return self._observed(self.bodies.reset(ids))

    def step(self, action: Array) -> Step:
        """Runs one control step with actions ``(n, A)``, clipped to [-1, 1].

        Raises:
            WorldError: The actions have another shape, or are not finite.
        """
        given = checked_action(action, self.n, self.spec.action_size)
        step = self.bodies.step(given * self._variation.working)
        return step._replace(observation=self._observed(step.observation))

    def coordinates(self) -> Array:
        """Returns x, or x and y ``(n, C)``, whether observed or not [m]."""
        return self.bodies.coordinates()

    def hidden(self) -> Array:
        """Returns the hidden quantities of the present episodes ``(n, K)``.

        Equal rows are equal tasks.
        """
        return self._hidden.copy()

    def contexts(self, split: Split) -> Array:
        """Returns every context of a set, ``(cells, K)``.

        Raises:
            WorldError: There is no such set.
        """
        return self._row.contexts.cells(split)

    def set_contexts(self, ids: Ids, values: Array | None) -> None:
        """Fixes the hidden quantities of the following episodes of some scenes.

        The generators move on as without it. :meth:`state_dict` does not hold the values.

        Args:
            ids: The scenes ``(k,)``.
            values: ``(k, K)`` or ``(K,)``; None: they are drawn again.

        Raises:
            WorldError: there is no such scene, the values have another shape, a scale is not
                positive, or a flag is neither 0 nor 1.
        """
        places = checked_ids(ids, self.n)
        fixed = np.nan if values is None else _checked(values, self._row, len(places))
        self._fixed[places] = fixed

    def state_dict(self) -> dict[str, Any]:
        """Returns the generator of starts and contexts."""
        return self.bodies.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the generator of starts and contexts."""
        self.bodies.load_state_dict(state)

    def close(self) -> None:
        """Has no effect: the batch frees itself."""
        self.bodies.close()


def find_varied(name: str) -> VariedBody:
    """Returns the row of that name.

    Raises:
        WorldError: There is none.
    """
    if name not in VARIED:
        raise WorldError(
            f"there is no body {name!r} with hidden quantities; choose one of {', '.join(VARIED)}"
        )
    return VARIED[name]


def _spec(
    row: VariedBody, config: VariedConfig, plain: WorldSpec, observed: BodyObservation
) -> WorldSpec:
    cells = row.contexts.cells(config.contexts)
    coordinates = plain.coordinates
    assert coordinates is not None  # every row has a plane
    return dataclasses.replace(
        plain,
        observation=observed.fields,
        # No goals: most bodies do not observe where they are.
        coordinates=dataclasses.replace(coordinates, goal_low=(), goal_high=(), goal_radius=0.0),
        hidden=tuple(
            Quantity(name=name, low=float(low), high=float(high))
            for name, low, high in zip(
                row.contexts.names, cells.min(axis=0), cells.max(axis=0), strict=True
            )
        ),
    )


def _checked(values: Array, row: VariedBody, count: int) -> Array:
    """Returns contexts ``(count, K)``, or one for all ``(K,)``.

    Raises:
        WorldError: The shape is another one, or a value does not fit the body.
    """
    names = row.contexts.names
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise WorldError(f"a context of {row.title} is made of numbers: {error}") from None
    if found.shape not in ((len(names),), (count, len(names))):
        raise WorldError(
            f"a context of {row.title} has {len(names)} values, {', '.join(names)}; got an array "
            f"of shape {found.shape}, expected {(count, len(names))}, a row for each scene"
        )
    scales, crippled = np.split(found, (len(names) - len(row.limbs),), axis=-1)
    if not (np.isfinite(scales) & (scales > 0.0)).all():
        raise WorldError(f"the scales of {row.title} must be positive, got {scales.tolist()}")
    if not np.isin(crippled, (0.0, 1.0)).all():
        raise WorldError(f"the flags of {row.title} must be 0 or 1, got {crippled.tolist()}")
    return found
