"""PolicyRunner: runs the policy of one arm, and knows when its memory still holds."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_runtime.policy.onnx_policy import PolicyOutput

MAX_PAUSE_S = 0.5
"""Holds no longer than this [s], as between two commands of a slow client, leave the policy its
memory: the arm and what it touches have hardly done anything meanwhile. After longer ones, and
after anything but a hold, it does not know what has happened and starts anew."""


class TickPolicy(Protocol):
    """What the tick needs of a policy; ``OnnxPolicy`` is one."""

    @property
    def manifest(self) -> PolicyManifest:
        """What the policy says of itself."""
        ...

    def step(
        self,
        observation: Array,
        skill: Array | None = None,
        goal: Array | None = None,
        previous_action: Array | None = None,
    ) -> PolicyOutput:
        """One action for one observation ``(O,)``.

        ``previous_action`` is given where something else was done than what it said last.
        """
        ...

    def reset_slot(self, slot: int) -> None:
        """Forgets recurrent state and previous action of one slot."""
        ...


class RateMismatchError(ValueError):
    """The policy's period is not a whole number of servo periods."""


class PolicyFaultError(RuntimeError):
    """The policy put out what no arm can follow."""


def ticks_per_action(rate_hz: float, servo_period_s: float) -> int:
    """Servo periods in one period of the policy.

    Raises:
        RateMismatchError: that is no whole number.
    """
    exact = 1.0 / (rate_hz * servo_period_s)
    ticks = round(exact)
    if ticks < 1 or abs(exact - ticks) > 1e-6 * exact:
        raise RateMismatchError(
            f"the policy runs at {rate_hz:g} Hz, the arm at {1 / servo_period_s:g} Hz: the arm's "
            "rate must be a whole multiple of the policy's; choose another --servo-rate"
        )
    return ticks


class PolicyRunner:
    """Runs one policy.

    Args:
        policy: whose slot 0 is this arm's.

    Attributes:
        policy: as given.
        output: what it put out last, None while it does not run.
    """

    def __init__(self, policy: TickPolicy) -> None:
        self.policy = policy
        self.output: PolicyOutput | None = None
        self._paused_s = math.inf
        self._done: Array | None = None

    def run(self, observation: Array, vector: Array, *, by_goal: bool) -> PolicyOutput:
        """One step, for the observation ``(O,)``, towards a goal or by a skill ``vector``.

        Raises:
            PolicyFaultError: its action or its memory is not finite.
        """
        done, self._done, self._paused_s = self._done, None, 0.0
        goal = vector if by_goal else None
        skill = vector if len(vector) and not by_goal else None
        output = self.policy.step(observation, skill, goal, done)
        if not np.isfinite(output.action).all():
            raise PolicyFaultError(f"its action is not finite: {output.action.tolist()}")
        if not output.sound.all():
            raise PolicyFaultError("its recurrent state is not finite")
        self.output = output
        return output

    def set_applied(self, action: Array | None) -> None:
        """What was done instead of its last action ``(A,)``; None where that was done."""
        self._done = action

    def pause(self, seconds: float) -> None:
        """It does not run; infinite ``seconds`` where something else moves the arm."""
        self.output = None
        self._paused_s += seconds

    def resume(self) -> None:
        """It is to run again: anew, unless the pause was short."""
        if self._paused_s > MAX_PAUSE_S:
            self.policy.reset_slot(0)
        else:  # what was done last is not what it said last, but nothing
            self._done = np.zeros(self.policy.manifest.action_size)

    def forget(self) -> None:
        """It starts anew when it runs next."""
        self.output, self._done, self._paused_s = None, None, math.inf
        self.policy.reset_slot(0)
