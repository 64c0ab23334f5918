"""A goal policy that serves on and on: goals follow each other, contexts change, memory goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array, Flags, Ids
from skill_robots.motion.policy_adapter import UnsupportedPolicyError
from skill_robots.tasks.tabletop.metrics import FAR_M, REST_DISTANCE_M, REST_M_S, REST_STEPS
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_runtime.evaluation.tabletop import check_fits_tabletop, takes_goals
from skill_runtime.policy.onnx_policy import OnnxPolicy, PolicyOutput

JUDGED_STEPS = REST_STEPS[-1]
"""Control steps after which a goal is judged: 2.4 s."""

GOAL_RANGE_M = 0.10
"""Goals lie within this of the table's origin, in x and y: from there the hand gets behind the cube
for the next one [m]."""

REACH_M = (0.12, 0.25)
"""Beyond this in x or y the hand does not get behind a cube; it is put back [m]."""


class Context(NamedTuple):
    """What is hidden from the policy, under the names of its manifest."""

    cube_mass: float
    """[kg]."""
    cube_table_friction: float


@dataclass(frozen=True, kw_only=True)
class Goals:
    """Goals that were judged, in the order of their judgement; those nearer than 5 cm left out."""

    given: Ids
    """``(k,)`` control step at which each was given."""
    at_rest: Flags
    """``(k,)``: the cube was within 3 cm and slower than 2 cm/s, 60 steps later."""
    estimate: Array
    """``(k, E)`` of what the policy estimates, then; physical units."""
    truth: Array
    """``(k, 2)`` mass [kg] and friction then."""
    put_back: float
    """Cubes put back, out of reach, per goal given."""

    def rate(self, first: int, last: int) -> float:
        """Share at rest of the goals given at steps ``first`` to ``last - 1``; NaN without any."""
        chosen = self.at_rest[(self.given >= first) & (self.given < last)]
        return float(chosen.mean()) if len(chosen) else float("nan")


class GoalService:
    """n tabletops whose cubes are sent from goal to goal, each with a clock of its own.

    A cube that slid out of reach is put back with the next goal, arm and all; the policy is not
    told, as it is not told anything else.

    Args:
        policy: Takes goals on the tabletop; its slots are taken.
        config: Contexts at the start, noise.
        n: Scenes.
        seed: Of starts and goals.
        period_steps: Control steps between two goals of a scene.
        forgetful: Begin the policy's memory anew with each goal.
    """

    def __init__(
        self,
        policy: OnnxPolicy,
        config: TabletopConfig,
        n: int,
        *,
        seed: int,
        period_steps: int = JUDGED_STEPS,
        forgetful: bool = False,
    ) -> None:
        self.table = Tabletop(config, n, seed=seed)
        self.steps = self._gave = self._put_back = 0
        self._policy, self._names = policy, policy.manifest.observation_names
        self._period, self._forgetful = period_steps, forgetful
        self._random = np.random.default_rng([seed, 11])
        # As if goals had gone on before: judgements are spread over time.
        self._given = -(np.arange(n) * period_steps // n)
        self._goal = self._draw(n)
        self._far = self._distance() > FAR_M
        self._judged: list[tuple[Ids, Flags, Array, Array]] = []
        policy.reset(n)

    def set_context(self, mass: Array | float, friction: Array | float) -> None:
        """Changes what is hidden, at once."""
        self.table.set_context(mass=mass, friction=friction)

    def step(self) -> PolicyOutput:
        """One control step of every scene; gives what the policy said."""
        output = self._policy.step(self.table.observe(self._names), goal=self._goal)
        self.table.step(output.action.astype(np.float64))
        self.steps += 1
        age = self.steps - self._given
        self._judge(np.flatnonzero(age == JUDGED_STEPS), output)
        self._give(np.flatnonzero(age == self._period))
        return output

    @property
    def goals(self) -> Goals:
        """All that were given in the time served and judged."""
        given, at_rest, estimate, truth = (
            np.concatenate(part) for part in zip(*self._judged, strict=True)
        )
        put_back = self._put_back / max(self._gave, 1)
        return Goals(
            given=given, at_rest=at_rest, estimate=estimate, truth=truth, put_back=put_back
        )

    def _judge(self, ids: Ids, output: PolicyOutput) -> None:
        ids = ids[self._far[ids] & (self._given[ids] >= 0)]
        near = self._distance()[ids] < REST_DISTANCE_M
        at_rest = near & (self.table.cube_speed[ids] < REST_M_S)
        known = np.zeros((len(ids), 0)) if output.estimate is None else output.estimate[ids]
        truth = np.stack([self.table.mass[ids], self.table.friction[ids]], axis=1)
        self._judged.append((self._given[ids], at_rest, np.asarray(known, np.float64), truth))

    def _give(self, ids: Ids) -> None:
        if not len(ids):
            return
        self._given[ids] = self.steps
        self._gave += len(ids)
        self._goal[ids] = self._draw(len(ids))
        lost = ids[(np.abs(self.table.cube_position[ids, :2]) > REACH_M).any(axis=1)]
        if len(lost):
            mass, friction = self.table.mass.copy(), self.table.friction.copy()
            self.table.reset(lost)
            self.table.set_context(mass=mass, friction=friction)
            self._put_back += len(lost)
        self._far[ids] = self._distance()[ids] > FAR_M
        if self._forgetful:
            for slot in ids.tolist():
                self._policy.reset_slot(slot)

    def _draw(self, n: int) -> Array:
        return self._random.uniform(-GOAL_RANGE_M, GOAL_RANGE_M, (n, 2))

    def _distance(self) -> Array:
        return np.linalg.norm(self.table.cube_position[:, :2] - self._goal, axis=1)


def check_takes_goals(policy: OnnxPolicy) -> None:
    """Ends the program unless the policy brings cubes to goals on the tabletop."""
    try:
        check_fits_tabletop(policy.manifest)
    except UnsupportedPolicyError as error:
        raise SystemExit(str(error)) from None
    if not takes_goals(policy.manifest):
        raise SystemExit(f"{policy.path} takes no goals for the cube")


def check_adapts(policy: OnnxPolicy) -> None:
    """Ends the program unless the policy brings cubes to goals on the tabletop and has a memory."""
    check_takes_goals(policy)
    if not policy.manifest.recurrent:
        raise SystemExit(
            f"{policy.path} has no memory: there is nothing that could adapt. Give a policy with a "
            "context encoder, such as models/goal_panda.onnx"
        )


def trained_range(policy: OnnxPolicy, name: str) -> tuple[float, float]:
    """What the manifest says of a quantity varied in training; ends the program if it does not."""
    seen = policy.manifest.trained_on.get(name)
    if seen is None:
        raise SystemExit(f"{policy.path} does not say on which {name} it was trained")
    return seen.low, seen.high


def quantities(policy: OnnxPolicy) -> tuple[str, ...]:
    """Names of what the policy estimates, in the order of its output."""
    context = policy.manifest.context
    names = () if context is None else tuple(part.name for part in context.estimates)
    if not set(names) <= set(Context._fields):
        raise SystemExit(
            f"{policy.path} estimates {', '.join(names)}; only {', '.join(Context._fields)} "
            "can be judged here"
        )
    return names


def columns(names: tuple[str, ...]) -> list[int]:
    """Where quantities stand in a :class:`Context` and in :attr:`Goals.truth`."""
    return [Context._fields.index(name) for name in names]
