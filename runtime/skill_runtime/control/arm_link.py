"""Senses: what is measured, of the arm by itself and of objects from outside, and how old it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from skill_robots.arm import Arm, ArmCommunicationError, ArmError, ArmState
from skill_runtime.control.object_tracker import ObjectTracker

COMMUNICATION_TIMEOUT_S = 0.02
"""How long an arm may not answer, send one state again and again, or be without set-points [s]. The
Franka control interface gives up after 20 periods of 1 ms (docs/safety.md)."""

SINGLE_DROP_S = 0.0075
"""A single period without a new state, of 1 to 5 ms, is shorter [s]."""

RECOVERY_TIME_S = 1.0
"""An arm that was silent must answer for this long, at rest, before it is moved again [s]."""

REST_VELOCITY = 0.01
"""Joints slower than this are at rest [rad/s]."""


class Senses:
    """Reads one arm.

    Attributes:
        state: the newest measurement, with tracked objects in it.
        stable_for_s: for how long it has answered, at rest, since it last was silent [s].
    """

    def __init__(self, arm: Arm, tracker: ObjectTracker) -> None:
        """Takes a first look.

        Raises:
            ArmError: the arm cannot be read.
        """
        self.tracker = tracker
        self.stable_for_s = math.inf
        self._silent_s = 0.0
        self._arm = arm
        self.state = self._with_tracked(self._ask())
        self._read_s = self.state.time_s

    def read(self) -> bool:
        """A new look; whether there was something new to see.

        Short silences leave the state as it is.

        Raises:
            ArmCommunicationError: the arm has been silent for longer than :data:`COMMUNICATION_TIMEOUT_S`.
            ArmError: it reports something else, or what is no number.
        """
        try:
            state = self._ask()
        except ArmCommunicationError as error:
            self._miss(str(error))
            return False
        except ArmError:
            self._silent_s = 0.0
            raise
        if state.time_s == self._read_s:
            self._miss("its state does not change")
            return False
        self._take(state)
        self._read_s = state.time_s
        self._silent_s = 0.0
        self.stable_for_s = self.stable_for_s + self._arm.servo_period_s if self.at_rest else 0.0
        return True

    def look(self) -> None:
        """A look between two ticks.

        Raises:
            ArmCommunicationError, ArmError: as the arm says; nothing is tolerated.
        """
        self._take(self._ask())

    def reset_stable_time(self) -> None:
        """What it has answered so far says nothing any more: set-points did not reach it."""
        self.stable_for_s = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether the last few :meth:`read` heard nothing new."""
        return self._silent_s > SINGLE_DROP_S

    @property
    def at_rest(self) -> bool:
        """Whether the arm was measured at rest."""
        return float(np.abs(self.state.joint_velocity).max()) <= REST_VELOCITY

    def restart(self) -> None:
        """Takes what is measured now as the first of a new life: the arm was moved by other means.

        Raises:
            ArmError: the arm cannot be read.
        """
        self._take(self._ask())
        self._read_s = self.state.time_s
        self._silent_s, self.stable_for_s = 0.0, math.inf

    def _miss(self, why: str) -> None:
        self._silent_s += self._arm.servo_period_s
        if self._silent_s > SINGLE_DROP_S:  # one answer that comes twice is no silence
            self.stable_for_s = 0.0
        if self._silent_s > COMMUNICATION_TIMEOUT_S:
            raise ArmCommunicationError(why)

    def _ask(self) -> ArmState:
        state = self._arm.read()
        numbers = state.joint_position.tolist() + state.joint_velocity.tolist()
        if not math.isfinite(sum(numbers)):
            raise ArmError("what it measures of its joints is not finite")
        return state

    def _take(self, state: ArmState) -> None:
        self.state = self._with_tracked(state)

    def _with_tracked(self, state: ArmState) -> ArmState:
        tracked = self.tracker.config.objects
        if not tracked:
            return state
        own = {name: pose for name, pose in state.objects.items() if name not in tracked}
        return replace(state, objects=own | self.tracker.poses())


class Reach:
    """Of one arm.

    Args:
        arm: the arm.
        clock: server time [s]; looked at only for an arm that keeps time.

    Attributes:
        out_of_sync: whether the arm may be elsewhere than it was told to be: it stopped itself, or was
            without set-points for too long. So it is until it takes one where it was seen at rest.
    """

    def __init__(self, arm: Arm, clock: Callable[[], float]) -> None:
        self._arm = arm
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """The set-point was put where the arm was measured, and none has been sent since."""
        self.out_of_sync = not self._arm.lockstep  # until the first one it may be some time
        self._lost_s = 0.0
        self._last_sent = math.inf

    @property
    def timed_out(self) -> bool:
        """Whether set-points have not reached the arm for too many periods."""
        return self._lost_s > COMMUNICATION_TIMEOUT_S

    def check_timeout(self) -> float | None:
        """For how long it was sent nothing, where that was too long [s]: told once.

        It is :attr:`out_of_sync` from then on.
        """
        if self.out_of_sync or self._arm.lockstep:
            return None
        alone_s = self._clock() - self._last_sent
        if alone_s <= COMMUNICATION_TIMEOUT_S:
            return None
        self.out_of_sync = True
        return alone_s

    def on_sent(self, *, at_rest: bool) -> None:
        """A set-point has reached the arm, which had just been seen: ``at_rest`` or not."""
        self._lost_s = 0.0
        if not self._arm.lockstep:
            self._last_sent = self._clock()
        if at_rest:
            self.out_of_sync = False

    def on_lost(self) -> None:
        """A set-point has not reached it."""
        self._lost_s += self._arm.servo_period_s
        self.out_of_sync = self.out_of_sync or self.timed_out
