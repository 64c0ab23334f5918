"""Which rates a machine holds: measured lateness against what an arm bears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skill_runtime.doctor.loop_latency import Misses, Timer, Way, misses


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What one way of driving an arm asks of its machine."""

    name: str
    rate_hz: float
    budget_s: float
    """How long after it was due a tick may be done [s]."""
    share: float
    """Of ticks that may be later."""
    in_a_row: int
    """That may be later one after the other."""
    otherwise: str
    """What happens if more are."""


SERVO = Demand(
    name="25 Hz policy at 200 Hz servo",
    rate_hz=200.0,
    budget_s=0.005,
    share=0.01,
    in_a_row=7,
    otherwise="eight lose an action of the policy",
)
"""A set-point is in time if its tick is done before the next one is due. An action counts for
40 ms: with eight set-points missed in a row, one has never been carried out."""

FRANKA = Demand(
    name="1 kHz of the Franka control interface",
    rate_hz=1000.0,
    budget_s=0.0005,
    share=0.01,
    in_a_row=10,
    otherwise="more than 20 abort the motion",
)
"""libfranka's documentation: an answer is due within 1 ms of which the robot and the network need
their part, read to write is to take less than .5 ms, and more than 20 late packets in a row abort
(communication_constraints_violation). A Panda commonly runs with 98 % in time. Half of both is left
to the network, and to what a few seconds do not show of a day."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One way of waiting, held against one demand."""

    way: Way
    misses: Misses
    strain: float
    """The larger of both figures as a share of what is allowed; holds up to 1."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a machine meets a demand."""

    demand: Demand
    best: Trial
    """The first that holds, else the one that comes nearest."""

    @property
    def holds(self) -> bool:
        """With the flags of :attr:`best`."""
        return self.best.strain <= 1.0

    @property
    def text(self) -> str:
        """One sentence."""
        if not self.holds:
            return "does not hold"
        flags = self.best.way.flags
        return f"holds with {flags}" if flags else "holds"

    @property
    def reason(self) -> str:
        """The figures behind it."""
        demand, trial = self.demand, self.best
        late = f"more than {1e3 * demand.budget_s:g} ms late"
        if not trial.misses.in_a_row:
            return f"{trial.way.name}: no tick {late}"
        return (
            f"{trial.way.name}: {100 * trial.misses.share:.2g} % of ticks {late}, at most "
            f"{trial.misses.in_a_row} in a row; may be {100 * demand.share:g} % and "
            f"{demand.in_a_row} ({demand.otherwise})"
        )


def judge(demand: Demand, timers: Sequence[Timer]) -> Verdict:
    """The verdict by loops of the demand's rate, at least one, in the order of what they cost."""
    trials = [_try(demand, timer) for timer in timers if timer.rate_hz == demand.rate_hz]
    holding = [trial for trial in trials if trial.strain <= 1.0]
    return Verdict(
        demand=demand,
        best=holding[0] if holding else min(trials, key=lambda trial: trial.strain),
    )


def _try(demand: Demand, timer: Timer) -> Trial:
    found = misses(timer, demand.budget_s)
    strain = max(found.share / demand.share, found.in_a_row / demand.in_a_row)
    return Trial(way=timer.way, misses=found, strain=strain)
