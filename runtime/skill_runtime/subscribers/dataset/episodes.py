"""Episodes of a recording: policy steps in a row, under one skill or goal."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from skill_proto.messages import PolicyStep, Telemetry

MIN_STEPS = 2
"""A shorter stretch is no episode."""

MAX_GAP = 1.5
"""A pause between two steps of more than this many periods of the policy ends an episode."""


KEPT_STATES = 32
"""States among which the nearest one to a step is found: a gateway that is late publishes a step
after newer states."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One policy step, and the state of the arm at its tick or next to it."""

    step: PolicyStep
    state: Telemetry


def episodes(
    messages: Iterable[object], ticks_per_step: float, every: int = 1
) -> Iterator[tuple[Frame, ...]]:
    """Yields the episodes of a recording.

    A new command vector, a reset, a lost step, a pause and another server each end an episode.

    Args:
        messages: Telemetry and policy steps in the order of their arrival.
        ticks_per_step: Servo periods in a period of the policy.
        every: Keep every so many steps of an episode.
    """
    states: deque[Telemetry] = deque(maxlen=KEPT_STATES)
    waiting: list[PolicyStep] = []
    current: list[Frame] = []
    for message in messages:
        if isinstance(message, PolicyStep):
            waiting.append(message)
        elif isinstance(message, Telemetry):
            states.append(message)
            while waiting and _is_passed(waiting[0], message):
                step = waiting.pop(0)
                frame = Frame(step, min(states, key=lambda each: _distance(each, step)))
                if current and not _continues(current[-1], frame, ticks_per_step):
                    yield from _kept(current, every)
                    current = []
                current.append(frame)
    yield from _kept(current, every)


def _is_passed(step: PolicyStep, state: Telemetry) -> bool:
    """Returns whether no later state can be nearer to the step."""
    return state.instance != step.instance or state.tick >= step.tick


def _distance(state: Telemetry, step: PolicyStep) -> float:
    """Returns the number of ticks between a state and a step."""
    return abs(state.tick - step.tick) if state.instance == step.instance else math.inf


def _continues(last: Frame, frame: Frame, ticks_per_step: float) -> bool:
    before, step, state = last.step, frame.step, frame.state
    return (
        step.instance == before.instance
        and step.step == before.step + 1
        and step.state_age == before.state_age + 1
        and (step.skill, step.goal) == (before.skill, before.goal)
        and step.tick - before.tick <= MAX_GAP * ticks_per_step
        and state.counters.get("resets", 0) == last.state.counters.get("resets", 0)
        and state.counters.get("episodes", 0) == last.state.counters.get("episodes", 0)
    )


def _kept(frames: list[Frame], every: int) -> Iterator[tuple[Frame, ...]]:
    kept = tuple(frames[::every])
    if len(kept) >= MIN_STEPS:
        yield kept
