"""Continuous operation of a goal policy: new goals and contexts, without a reset of its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array, Flags, Ids
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.tabletop.compatibility import check_fits_tabletop
from skill_robots.tasks.tabletop.metrics import FAR_M, REST_DISTANCE_M, REST_M_S, REST_STEPS
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.tabletop import takes_goals
from skill_runtime.policy import OnnxPolicy, PolicyOutput

JUDGED_STEPS = REST_STEPS[-1]
"""Control steps from a goal to its evaluation: 2.4 s."""

GOAL_RANGE_M = 0.10
"""Largest x and y of a goal [m]. The end effector can get behind a cube at such a place."""

REACH_M = (0.12, 0.25)
"""Largest x and y of a cube that the end effector can get behind [m]; a cube farther out is
reset."""


class Context(NamedTuple):
    """Quantities that the policy does not observe, by the names in its manifest."""

    cube_mass: float
    """Mass [kg]."""
    cube_table_friction: float
    """Friction coefficient."""


@dataclass(frozen=True, kw_only=True)
class Goals:
    """Evaluated goals, in the order of evaluation.

    A goal less than 5 cm from the cube is left out.
    """

    given: Ids
    """``(k,)`` control step at which the scene got the goal."""
    at_rest: Flags
    """``(k,)`` whether the cube was within 3 cm and slower than 2 cm/s, 60 control steps later."""
    estimate: Array
    """``(k, E)`` estimates of the policy at the evaluation; physical units."""
    truth: Array
    """``(k, 2)`` mass [kg] and friction at the evaluation."""
    put_back: float
    """Resets of cubes out of reach, per goal."""

    def rate(self, first: int, last: int) -> float:
        """Share reached of the goals given in steps ``first`` to ``last - 1``; NaN if empty."""
        chosen = self.at_rest[(self.given >= first) & (self.given < last)]
        return float(chosen.mean()) if len(chosen) else float("nan")


class GoalService:
    """Scenes that get one goal after the other, each at its own times.

    If a cube is out of reach at the time of a new goal, its scene is reset. The recurrent state of
    the policy is not reset then.

    Args:
        policy: Policy that takes goals on the tabletop; all its slots are used.
        config: Contexts at the start, and noise.
        n: Number of scenes.
        seed: Evaluation seed of starts and goals.
        period_steps: Control steps between two goals of a scene.
        resets_state: Reset the policy's recurrent state with each goal.
        table: The ``n`` scenes; None makes them of ``config``.
    """

    def __init__(
        self,
        policy: OnnxPolicy,
        config: TabletopConfig,
        n: int,
        *,
        seed: int,
        period_steps: int = JUDGED_STEPS,
        resets_state: bool = False,
        table: Tabletop | None = None,
    ) -> None:
        self.table = table or Tabletop(config, n, seed=seed)
        self.steps = self._given_count = self._put_back = 0
        self._policy, self._names = policy, policy.manifest.observation_names
        self._period, self._resets_state = period_steps, resets_state
        self._random = np.random.default_rng([seed, 11])
        # The first goals have different ages, which spreads the evaluations over time.
        self._given = -(np.arange(n) * period_steps // n)
        self._goal = self._draw(n)
        self._far = self._distance() > FAR_M
        self._evaluated: list[tuple[Ids, Flags, Array, Array]] = []
        policy.reset(n)

    def set_context(self, mass: Array | float, friction: Array | float) -> None:
        """Changes mass [kg] and friction of all scenes immediately."""
        self.table.set_context(mass=mass, friction=friction)

    def step(self) -> PolicyOutput:
        """Makes one control step of every scene and returns the output of the policy."""
        return self.observed_step()[1]

    def observed_step(self) -> tuple[Array, PolicyOutput]:
        """Makes the same step, and also returns the observation ``(n, O)``."""
        observation = self.table.observe(self._names)
        output = self._policy.step(observation, goal=self._goal)
        self.table.step(output.action.astype(np.float64))
        self.steps += 1
        age = self.steps - self._given
        self._evaluate(np.flatnonzero(age == JUDGED_STEPS), output)
        self._give_goals(np.flatnonzero(age == self._period))
        return observation, output

    @property
    def goals(self) -> Goals:
        """All goals that were given since the start and evaluated."""
        given, at_rest, estimate, truth = (
            np.concatenate(part) for part in zip(*self._evaluated, strict=True)
        )
        put_back = self._put_back / max(self._given_count, 1)
        return Goals(
            given=given, at_rest=at_rest, estimate=estimate, truth=truth, put_back=put_back
        )

    def _evaluate(self, ids: Ids, output: PolicyOutput) -> None:
        ids = ids[self._far[ids] & (self._given[ids] >= 0)]
        near = self._distance()[ids] < REST_DISTANCE_M
        at_rest = near & (self.table.cube_speed[ids] < REST_M_S)
        estimate = np.zeros((len(ids), 0)) if output.estimate is None else output.estimate[ids]
        truth = np.stack([self.table.mass[ids], self.table.friction[ids]], axis=1)
        row = (self._given[ids], at_rest, np.asarray(estimate, np.float64), truth)
        self._evaluated.append(row)

    def _give_goals(self, ids: Ids) -> None:
        if not len(ids):
            return
        self._given[ids] = self.steps
        self._given_count += len(ids)
        self._goal[ids] = self._draw(len(ids))
        lost = ids[(np.abs(self.table.cube_position[ids, :2]) > REACH_M).any(axis=1)]
        if len(lost):
            mass, friction = self.table.mass.copy(), self.table.friction.copy()
            self.table.reset(lost)
            self.table.set_context(mass=mass, friction=friction)
            self._put_back += len(lost)
        self._far[ids] = self._distance()[ids] > FAR_M
        if self._resets_state:
            for slot in ids.tolist():
                self._policy.reset_slot(slot)

    def _draw(self, n: int) -> Array:
        return self._random.uniform(-GOAL_RANGE_M, GOAL_RANGE_M, (n, 2))

    def _distance(self) -> Array:
        return np.linalg.norm(self.table.cube_position[:, :2] - self._goal, axis=1)


def check_takes_goals(policy: OnnxPolicy) -> None:
    """Exits with a message unless the policy takes goals on the tabletop."""
    try:
        check_fits_tabletop(policy.manifest)
    except UnsupportedPolicyError as error:
        raise UsageError(str(error)) from None
    if not takes_goals(policy.manifest):
        raise UsageError(
            f"{policy.path} takes no goals for the cube. Name a policy that does, such as "
            "models/goal_panda.onnx"
        )


def check_adapts(policy: OnnxPolicy) -> None:
    """Exits with a message unless the policy takes goals on the tabletop and is recurrent."""
    check_takes_goals(policy)
    if not policy.manifest.recurrent:
        raise UsageError(
            f"{policy.path} has no recurrent state, so it cannot adapt. Name a policy with a "
            "context encoder, such as models/goal_panda.onnx"
        )


def trained_range(policy: OnnxPolicy, name: str) -> tuple[float, float]:
    """Returns the range of a quantity in training; exits if the manifest lacks it."""
    seen = policy.manifest.trained_on.get(name)
    if seen is None:
        raise UsageError(
            f"{policy.path}: the manifest has no range of {name} in trained_on. Name a policy that "
            "was trained on a range, such as models/goal_panda.onnx"
        )
    return seen.low, seen.high


def quantities(policy: OnnxPolicy) -> tuple[str, ...]:
    """Returns the names of the estimated quantities, in the order of the policy's output."""
    context = policy.manifest.context
    names = () if context is None else tuple(part.name for part in context.estimates)
    if not set(names) <= set(Context._fields):
        raise UsageError(
            f"{policy.path} estimates {', '.join(names)}; this benchmark knows the true value of "
            f"{' and '.join(Context._fields)} only"
        )
    return names


def columns(names: tuple[str, ...]) -> list[int]:
    """Returns the index of each quantity in a :class:`Context` and in :attr:`Goals.truth`."""
    return [Context._fields.index(name) for name in names]
