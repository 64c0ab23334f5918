"""Compares the measured latency with the requirements of an arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skill_runtime.doctor.loop_latency import (
    LoopMeasurement,
    MissedDeadlines,
    WaitStrategy,
    count_missed_deadlines,
)


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """Deadlines that a machine must meet to control an arm."""

    name: str
    rate_hz: float
    budget_s: float
    """Time after its deadline at which a tick must have ended [s]."""
    max_missed_share: float
    """Largest share of missed deadlines."""
    max_missed_in_a_row: int
    """Largest number of consecutive missed deadlines."""
    consequence: str
    """Effect of more missed deadlines."""


SERVO = Requirement(
    name="25 Hz policy at 200 Hz servo",
    rate_hz=200.0,
    budget_s=0.005,
    max_missed_share=0.01,
    max_missed_in_a_row=7,
    consequence="eight lose an action of the policy",
)
"""A set-point is in time if its tick has ended before the next deadline. An action is valid for
40 ms, so eight missed set-points in a row mean that one action was never executed."""

FRANKA = Requirement(
    name="1 kHz of the Franka control interface",
    rate_hz=1000.0,
    budget_s=0.0005,
    max_missed_share=0.01,
    max_missed_in_a_row=10,
    consequence="more than 20 abort the motion",
)
"""From libfranka's documentation: a reply is due within 1 ms, part of which the robot and the
network need; read to write should take less than 0.5 ms; more than 20 late packets in a row abort
the motion (communication_constraints_violation). A Panda commonly runs with 98 % of the packets in
time. Half of both limits is reserved for the network and for events too rare for a short run."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One wait strategy, compared with one requirement."""

    strategy: WaitStrategy
    missed: MissedDeadlines
    utilisation: float
    """The larger of both figures relative to its limit; up to 1 the requirement holds."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a machine meets a requirement."""

    requirement: Requirement
    best: Attempt
    """The cheapest strategy that holds, or the one with the lowest utilisation."""

    @property
    def holds(self) -> bool:
        """Whether the requirement holds with the flags of :attr:`best`."""
        return self.best.utilisation <= 1.0

    @property
    def text(self) -> str:
        """The verdict as a phrase."""
        if not self.holds:
            return "does not hold"
        flags = self.best.strategy.flags
        return f"holds with {flags}" if flags else "holds"

    @property
    def reason(self) -> str:
        """The figures behind the verdict."""
        requirement, missed = self.requirement, self.best.missed
        name = self.best.strategy.name
        late = f"more than {1e3 * requirement.budget_s:g} ms late"
        if not missed.in_a_row:
            return f"{name}: no tick {late}"
        return (
            f"{name}: {100 * missed.share:.2g} % of ticks {late}, at most {missed.in_a_row} in a "
            f"row; the limits are {100 * requirement.max_missed_share:g} % and "
            f"{requirement.max_missed_in_a_row} ({requirement.consequence})"
        )


def judge(requirement: Requirement, loops: Sequence[LoopMeasurement]) -> Verdict:
    """Returns the verdict on the loops of the requirement's rate.

    Args:
        requirement: The requirement.
        loops: At least one loop of that rate, in the order of cost.
    """
    attempts = [
        _attempt(requirement, loop) for loop in loops if loop.rate_hz == requirement.rate_hz
    ]
    holding = [attempt for attempt in attempts if attempt.utilisation <= 1.0]
    return Verdict(
        requirement=requirement,
        best=holding[0] if holding else min(attempts, key=lambda attempt: attempt.utilisation),
    )


def _attempt(requirement: Requirement, loop: LoopMeasurement) -> Attempt:
    missed = count_missed_deadlines(loop, requirement.budget_s)
    utilisation = max(
        missed.share / requirement.max_missed_share,
        missed.in_a_row / requirement.max_missed_in_a_row,
    )
    return Attempt(strategy=loop.strategy, missed=missed, utilisation=utilisation)
