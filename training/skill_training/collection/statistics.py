"""Statistics of a world under random actions: scales of entries, and which ones actions drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array, Ids
from skill_robots.tasks.tabletop.metrics import squared_errors
from skill_robots.worlds.world import World

STEPS = 10_000
"""Environment steps of the measurement."""

HOLD = 4
"""Control steps for which a random action is held. Actions that change at every step cancel out,
and move a body less than a policy does."""

HISTORY = 3
"""Number of actions from which the change of an entry is predicted: the last one and two before."""

ACTUATED_R2 = 0.1
"""From this coefficient of determination on, an entry counts as driven by the actions. On the
tabletop the entries of the arm have more than .3, those of the cube less than .02
(tests/training/recipes/discovery/test_inputs.py)."""

UNUSUAL_SHARE = 0.03
"""Share of random steps that count as unusual."""

CONSTANT = 1e-6
"""Standard deviation below which an entry counts as constant, in its unit. It gets the scale 1: a
tiny one would make its first change enormous."""


@dataclass(frozen=True, kw_only=True)
class WorldStatistics:
    """Statistics of each observation entry, ``(O,)``."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Standard deviation of the entry."""
    step_std: tuple[float, ...]
    """Standard deviation of its change in one control step."""
    action_r2: tuple[float, ...]
    """Coefficient of determination of that change from the last actions, by least squares."""
    unusual_change: float = 0.0
    """Mean square of a change, each entry divided by ``step_std``, that 3 % of them exceed."""

    @property
    def unactuated(self) -> tuple[int, ...]:
        """Places of the entries that the actions do not drive directly."""
        return tuple(place for place, r2 in enumerate(self.action_r2) if r2 < ACTUATED_R2)


def measure_statistics(world: World, *, seed: int, steps: int = STEPS) -> WorldStatistics:
    """Runs uniform random actions, each held for :data:`HOLD` control steps.

    Args:
        world: The scenes. Their generators advance.
        seed: Seed of the actions.
        steps: Environment steps, rounded up to whole rounds.
    """
    states, changes, actions = _random_steps(world, np.random.default_rng([seed, 5]), steps)
    std = neutral(states.std(axis=0), np.ones(states.shape[1]))
    step_std = neutral(changes.std(axis=0), std)
    size = np.square(changes / step_std).mean(axis=1)
    return WorldStatistics(
        mean=tuple(states.mean(axis=0).tolist()),
        std=tuple(std.tolist()),
        step_std=tuple(step_std.tolist()),
        action_r2=tuple(determination(actions, changes).tolist()),
        unusual_change=float(np.quantile(size, 1.0 - UNUSUAL_SHARE)),
    )


def neutral(deviation: Array, instead: Array) -> Array:
    """Returns standard deviations with those of constant entries replaced."""
    return np.where(deviation < CONSTANT, instead, deviation)


def determination(inputs: Array, outputs: Array) -> Array:
    """Returns the adjusted coefficient of determination of each output, by least squares.

    Args:
        inputs: ``(n, k)``; an intercept is added.
        outputs: ``(n, m)``.

    Returns:
        ``(m,)``, 0 for a constant output.
    """
    n, k = inputs.shape
    residual, total = squared_errors(inputs, outputs)
    adjusted = 1.0 - residual / np.maximum(total, 1e-300) * (n - 1) / max(1, n - k - 1)
    return np.where(total > 1e-300, np.maximum(adjusted, 0.0), 0.0)


def _random_steps(
    world: World, random: np.random.Generator, steps: int
) -> tuple[Array, Array, Array]:
    """Returns observations ``(m, O)``, their changes ``(m, O)`` and the actions ``(m, 3 A)``."""
    n, size = world.n, world.spec.action_size
    states, changes, actions = list[Array](), list[Array](), list[Array]()
    while len(states) * n < steps:
        observation = world.reset()
        history = [np.zeros((n, size))] * HISTORY
        action = np.zeros((n, size))
        for step in range(world.spec.episode_steps):
            if step % HOLD == 0:
                action = random.uniform(-1.0, 1.0, (n, size))
            history = [action, *history[:-1]]
            after = world.step(action)
            states.append(observation)
            changes.append(after.observation - observation)
            actions.append(np.concatenate(history, axis=1))
            observation = after.observation
            if after.ended.any():
                ended = np.flatnonzero(after.ended)
                observation = world.reset(ended)
                history = [_without(past, ended) for past in history]
    return np.concatenate(states), np.concatenate(changes), np.concatenate(actions)


def _without(actions: Array, scenes: Ids) -> Array:
    """Returns the actions with those of the given scenes set to zero."""
    kept = actions.copy()
    kept[scenes] = 0.0
    return kept
