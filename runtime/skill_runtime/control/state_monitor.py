"""Reads the state of one arm and detects silence: no answer, or the same state again and again."""

from __future__ import annotations

import math
from dataclasses import replace

from skill_proto.arrays import Array
from skill_robots.arm import Arm, ArmCommunicationError, ArmError, ArmState
from skill_runtime.control.object_tracker import ObjectTracker

COMMUNICATION_TIMEOUT_S = 0.02
"""Longest time without an answer, without a new state or without a set-point [s]. The Franka
control interface gives up after 20 periods of 1 ms (docs/safety.md)."""

SINGLE_DROP_S = 0.0075
"""Longer than one servo period of 1 to 5 ms, and shorter than two of 5 ms: one repeated answer is
not a silence [s]."""

REST_VELOCITY = 0.01
"""A joint slower than this is at rest [rad/s]."""


def is_at_rest(joint_velocity: Array) -> bool:
    """Returns whether each joint is slower than :data:`REST_VELOCITY`; ``(dof,)`` [rad/s]."""
    return all(abs(rate) <= REST_VELOCITY for rate in joint_velocity.tolist())  # False for NaN


class StateMonitor:
    """Reads the state of one arm and detects silence.

    Args:
        arm: the arm.
        tracker: object poses that replace the arm's own.

    Attributes:
        state: the newest measurement, with the tracked objects.
        stable_for_s: for how long the arm has answered, at rest, since its last silence [s].

    Raises:
        ArmError: the arm cannot be read.
    """

    def __init__(self, arm: Arm, tracker: ObjectTracker) -> None:
        self._tracker = tracker
        self.stable_for_s = math.inf
        self._silent_s = 0.0
        self._arm = arm
        self._period_s = arm.servo_period_s
        self.state = self._with_tracked(self._query())
        self._read_s = self.state.time_s

    def read(self) -> bool:
        """Reads the arm and returns whether its state was new.

        A silence shorter than :data:`COMMUNICATION_TIMEOUT_S` leaves the state unchanged.

        Raises:
            ArmCommunicationError: the silence exceeds :data:`COMMUNICATION_TIMEOUT_S`.
            ArmError: the arm reports another error, or its state is not finite.
        """
        try:
            state = self._query()
        except ArmCommunicationError as error:
            self._count_silence(str(error))
            return False
        except ArmError:
            self._silent_s = 0.0
            raise
        if state.time_s == self._read_s:
            self._count_silence("its state does not change")
            return False
        self._store(state)
        self._read_s = state.time_s
        self._silent_s = 0.0
        self.stable_for_s = self.stable_for_s + self._period_s if self.at_rest else 0.0
        return True

    def refresh(self) -> None:
        """Reads the arm between two ticks, without tolerance.

        Raises:
            ArmCommunicationError, ArmError: as the arm raised them.
        """
        self._store(self._query())

    def reset_stable_time(self) -> None:
        """Restarts :attr:`stable_for_s`: a set-point was lost."""
        self.stable_for_s = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether the last few :meth:`read` returned no new state."""
        return self._silent_s > SINGLE_DROP_S

    @property
    def at_rest(self) -> bool:
        """Whether the arm was measured at rest."""
        return is_at_rest(self.state.joint_velocity)

    def restart(self) -> None:
        """Reads the arm and forgets its past: it was moved by other means.

        Raises:
            ArmError: the arm cannot be read.
        """
        self._store(self._query())
        self._read_s = self.state.time_s
        self._silent_s, self.stable_for_s = 0.0, math.inf

    def _count_silence(self, why: str) -> None:
        self._silent_s += self._period_s
        if self._silent_s > SINGLE_DROP_S:
            self.stable_for_s = 0.0
        if self._silent_s > COMMUNICATION_TIMEOUT_S:
            raise ArmCommunicationError(why)

    def _query(self) -> ArmState:
        state = self._arm.read()
        numbers = state.joint_position.tolist() + state.joint_velocity.tolist()
        if not math.isfinite(sum(numbers)):
            raise ArmError("the measured joint state is not finite")
        return state

    def _store(self, state: ArmState) -> None:
        self.state = self._with_tracked(state)

    def _with_tracked(self, state: ArmState) -> ArmState:
        tracked = self._tracker.config.objects
        if not tracked:
            return state
        own = {name: pose for name, pose in state.objects.items() if name not in tracked}
        return replace(state, objects=own | self._tracker.poses())
