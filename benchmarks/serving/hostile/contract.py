"""The contract of the server under attack, and how a result keeps it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from benchmarks.serving.hostile.results import Repeat, Result

STOP_P99_S = 0.010
"""A stop is read within this time, in 99 of 100 cases [s]."""

SERVICE_S = 1.0
"""After an attack, or the loss of a process, all services are back within this time [s]."""

CONTROLLER_GROWTH_MB = 2.0
"""Memory that counts as unchanged [MB]."""

LINES_PER_REPEAT = 25
"""Lines of the log for one repeat; the innocent stops of a repeat are logged too."""

CHANCE = 0.01
"""Ticks and stops are later than in the control if chance explains the difference more rarely."""

BUSY_MACHINE = 3.0
"""A single stop so many times later than the bound proves a fault; a busy machine delays less."""

PERMUTATIONS = 4000

RAW_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that move a cursor, or reorder a text; newline and tab aside."""

FORGED = "skill-serve: cleared by operator"
"""A line of the log that only an attacker writes (attacks.stops.CONTROL_CHARACTERS)."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The figures of one attack, and the lines of the contract that it broke."""

    name: str
    repeats: int
    late: float
    """Median of the late ticks."""
    control_late: float
    more_late_p: float
    """Probability of so many more late ticks by chance."""
    stop_p99_s: float
    control_stop_p99_s: float
    silent_s: float
    """Longest time without an answered hello or without telemetry [s]."""
    moving_s: float
    """Longest time until the arm could move again [s]."""
    controller_growth_mb: float
    network_peak_mb: float
    total_growth_mb: float
    """Growth of the sum of all processes, from before the attacks to their peak [MB]."""
    pss_mb: float
    """Proportional memory of all processes after the attacks [MB]."""
    restarts: int
    log_lines: int
    broken: tuple[str, ...]


def more_late(attacked: Sequence[float], controls: Sequence[float]) -> float:
    """Returns the probability of so much larger ranks by chance: a permutation test."""
    both = np.concatenate([attacked, controls]).astype(float)
    ranks = np.array([(both < value).sum() + 0.5 * (both == value).sum() for value in both])
    found = ranks[: len(attacked)].sum()
    shuffled = np.random.default_rng(0).permuted(np.tile(ranks, (PERMUTATIONS, 1)), axis=1)
    return float((shuffled[:, : len(attacked)].sum(axis=1) >= found).mean())


def p99(repeats: Sequence[Repeat]) -> float:
    """Returns the 99th percentile of the times of all stops [s]."""
    times = sorted(time for repeat in repeats for time in repeat.stops_s)
    return times[math.ceil(0.99 * len(times)) - 1] if times else 0.0


def judge(result: Result, process_bound_mb: float) -> Verdict:
    """Compares a result with the contract.

    Args:
        result: All repeats of one attack.
        process_bound_mb: Largest permitted resident memory of a network process [MB].
    """
    attacked, controls = result.attacked, result.controls
    late = [repeat.late for repeat in attacked]
    control_late = [repeat.late for repeat in controls]
    total_before = sum(memory.rss for memory in result.before.values())
    verdict = Verdict(
        name=result.attack.name,
        repeats=len(attacked),
        late=median(late),
        control_late=median(control_late),
        more_late_p=more_late(late, control_late),
        stop_p99_s=p99(attacked),
        control_stop_p99_s=p99(controls),
        silent_s=max(repeat.silent_s for repeat in attacked),
        moving_s=max(repeat.moving_s for repeat in attacked),
        controller_growth_mb=result.controller_growth_mb,
        network_peak_mb=result.network_peak_mb,
        total_growth_mb=result.total_peak - total_before,
        pss_mb=sum(memory.pss for memory in result.after.values()),
        restarts=result.restarts,
        log_lines=result.log.count("\n"),
        broken=(),
    )
    faults = [*_timing(result, verdict), *_arm(result), *_memory(verdict, process_bound_mb)]
    return replace(verdict, broken=(*faults, *_log(result, verdict)))


def _timing(result: Result, verdict: Verdict) -> list[str]:
    found: list[str] = []
    if verdict.late > verdict.control_late and verdict.more_late_p < CHANCE:
        found.append(f"{verdict.late - verdict.control_late:g} more late ticks")
    if _stops_are_late(result, verdict):
        found.append(f"stop read after {_ms(verdict.stop_p99_s)}")
    if verdict.silent_s > SERVICE_S:
        found.append(f"silent for {verdict.silent_s:.1f} s")
    usual_s = median(repeat.moving_s for repeat in result.controls)
    if verdict.moving_s > usual_s + SERVICE_S:
        found.append(f"no motion possible for {verdict.moving_s:.1f} s")
    return found


def _stops_are_late(result: Result, verdict: Verdict) -> bool:
    """Returns whether stops are late, for another reason than a busy machine."""
    bound_s = max(STOP_P99_S, verdict.control_stop_p99_s)
    if verdict.stop_p99_s > BUSY_MACHINE * bound_s:
        return True
    late, control_late = (
        [float(seconds > STOP_P99_S) for repeat in repeats for seconds in repeat.stops_s]
        for repeats in (result.attacked, result.controls)
    )
    return verdict.stop_p99_s > bound_s and more_late(late, control_late) < CHANCE


def _arm(result: Result) -> list[str]:
    attack, attacked, found = result.attack, result.attacked, list[str]()
    if not result.alive:
        found.append("the server died")
    if any(repeat.restarted for repeat in attacked):
        found.append("the controller died")
    moved = sum(repeat.mode != "stopped" for repeat in attacked)
    if attack.arm == "stops" and moved:
        found.append(f"not stopped in {moved} of {len(attacked)}")
    if attack.arm == "moves":
        stopped = sum(repeat.mode in ("stopped", "fault") for repeat in attacked)
        lost = sum(not repeat.kept for repeat in attacked) - stopped
        if stopped:
            found.append(f"stopped in {stopped} of {len(attacked)}")
        if lost > 0:
            found.append(f"lease lost in {lost} of {len(attacked)}")
    return found


def _memory(verdict: Verdict, process_bound_mb: float) -> list[str]:
    found: list[str] = []
    if verdict.controller_growth_mb > CONTROLLER_GROWTH_MB:
        found.append(f"controller grew by {verdict.controller_growth_mb:.0f} MB")
    if verdict.network_peak_mb > process_bound_mb:
        found.append(f"a process grew to {verdict.network_peak_mb:.0f} MB")
    return found


def _log(result: Result, verdict: Verdict) -> list[str]:
    found: list[str] = []
    raw = sorted(set(RAW_CONTROL.findall(result.log)))
    if raw:
        found.append("raw in the log: " + ", ".join(map(ascii, raw)))
    if any(line.startswith(FORGED) for line in result.log.splitlines()):
        found.append("a forged line in the log")
    if verdict.log_lines > LINES_PER_REPEAT * (verdict.repeats + len(result.controls)):
        found.append(f"{verdict.log_lines} lines in the log")
    return found


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms" if math.isfinite(seconds) else "more than 5 s"
