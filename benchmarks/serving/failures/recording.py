"""A recording of telemetry, and the motion of the arm in it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.serving.failures.client_process import Process, wait_for
from skill_proto.arrays import Array
from skill_proto.messages import Telemetry
from skill_runtime.control.state_monitor import REST_VELOCITY


class Recording(Process):
    """A subscriber that keeps all states, or the newest ones.

    Args:
        command: Command that prints the states.
        keep: Number of states to keep; None for all.

    Attributes:
        states: Recorded states, the oldest first.
    """

    def __init__(self, command: Sequence[str], keep: int | None = None) -> None:
        self.states: deque[Telemetry] = deque(maxlen=keep)
        super().__init__(
            command, lambda line: self.states.append(Telemetry.model_validate_json(line))
        )

    def between(self, since: float, until: float = math.inf) -> list[Telemetry]:
        """Returns the states after the server time ``since``, up to ``until`` [s]."""
        return [state for state in list(self.states) if since < state.time <= until]

    def last_before(self, instant: float) -> Telemetry:
        """Returns the newest state at a server time [s]."""
        return self.between(-math.inf, instant)[-1]

    def wait_for(self, matches: Callable[[Telemetry], bool], since: float = 0.0) -> Telemetry:
        """Waits for the first matching state after the server time ``since`` [s].

        Raises:
            NeverHappenedError: No such state arrived in time.
        """
        return wait_for(
            lambda: next(filter(matches, self.between(since)), None),
            lambda: f"a state; the last one was {list(self.states)[-1:]}",
        )

    def wait_for_mode(self, mode: str, since: float) -> Telemetry:
        """Waits for the first state in ``mode`` after the server time ``since`` [s].

        Raises:
            NeverHappenedError: No such state arrived in time.
        """
        return self.wait_for(lambda state: state.mode == mode, since)

    def rest_after(self, since: float, until: float) -> Rest:
        """Returns the times from ``since`` to permanent rest, judged up to ``until`` [s]."""
        states = self.between(since - 1.0, until)
        times = np.array([state.time for state in states])
        setpoint = np.array([_numbers(state.joint_setpoint) for state in states])
        setpoint_speed = np.abs(np.diff(setpoint, axis=0)).max(1) / np.diff(times)
        measured = np.array([measured_speed(state) for state in states[1:]])
        return Rest(_rest(times[1:], setpoint_speed, since), _rest(times[1:], measured, since))


class Rest(NamedTuple):
    """Times until the joints stay slower than 0.01 rad/s; infinity if they do not [s]."""

    setpoint_s: float
    """For the set-point."""
    joints_s: float
    """For the measured joints; a compliant arm oscillates after its set-point is at rest."""


def _rest(times: Array, speeds: Array, since: float) -> float:
    moving = np.flatnonzero((speeds >= REST_VELOCITY) & (times > since))
    if not len(moving):
        return 0.0
    if moving[-1] + 1 == len(times):
        return math.inf
    return float(times[moving[-1] + 1] - since)


def measured_speed(state: Telemetry) -> float:
    """Returns the speed of the fastest joint [rad/s]."""
    return float(np.abs(_numbers(state.joint_velocity)).max())


def displacement(before: Telemetry, after: Telemetry) -> float:
    """Returns the largest displacement of a joint between two states [rad]."""
    moved = np.subtract(_numbers(after.joint_position), _numbers(before.joint_position))
    return float(np.abs(moved).max())


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.inf if value is None else value for value in values]
