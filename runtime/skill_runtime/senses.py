"""Senses: what is measured, of the arm by itself and of objects from outside, and how old it is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from skill_robots.arm import Arm, ArmSilentError, ArmState
from skill_runtime.tracker import Tracker

SILENT_S = 0.02
"""How long an arm may not answer, or send one state again and again [s]. The Franka control
interface gives up after 20 periods of 1 ms (docs/safety.md)."""

ANSWERING_S = 1.0
"""An arm that was silent must answer for this long, at rest, before it is moved again [s]."""

REST_VELOCITY = 0.01
"""Joints slower than this are at rest [rad/s]."""


class Senses:
    """Reads one arm.

    Attributes:
        state: the newest measurement, with tracked objects in it.
        silent_s: for how long the arm has not answered [s].
        answering_s: for how long it has answered, at rest, since it last did not [s].
    """

    def __init__(self, arm: Arm, tracker: Tracker) -> None:
        """Takes a first look.

        Raises:
            ArmError: the arm cannot be read.
        """
        self.tracker = tracker
        self.silent_s = 0.0
        self.answering_s = math.inf
        self._arm = arm
        self.state = self._with_tracked(arm.read())

    def read(self) -> None:
        """A new look. Short silences leave the state as it is.

        Raises:
            ArmSilentError: the arm has been silent for longer than :data:`SILENT_S`.
            ArmError: it reports something else.
        """
        try:
            state = self._arm.read()
        except ArmSilentError as error:
            self.miss(str(error))
            return
        if state.time_s == self.state.time_s:
            self.miss("its state does not change")
            return
        self.silent_s = 0.0
        moving = not np.abs(state.joint_velocity).max() <= REST_VELOCITY  # NaN moves
        self.answering_s = 0.0 if moving else self.answering_s + self._arm.servo_period_s
        self.state = self._with_tracked(state)

    def miss(self, why: str) -> None:
        """Notes a servo period in which the arm did not answer.

        Raises:
            ArmSilentError: it is one too many.
        """
        self.silent_s += self._arm.servo_period_s
        self.answering_s = 0.0
        if self.silent_s > SILENT_S:
            raise ArmSilentError(why)

    def restart(self) -> None:
        """Takes what is measured now as the first of a new life: the arm was moved by other means.

        Raises:
            ArmError: the arm cannot be read.
        """
        self.state = self._with_tracked(self._arm.read())
        self.silent_s, self.answering_s = 0.0, math.inf

    def _with_tracked(self, state: ArmState) -> ArmState:
        tracked = self.tracker.config.objects
        if not tracked:
            return state
        own = {name: pose for name, pose in state.objects.items() if name not in tracked}
        return replace(state, objects=own | self.tracker.poses())
