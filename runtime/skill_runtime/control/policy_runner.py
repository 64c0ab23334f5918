"""When the policy of one arm runs, and how long its recurrent state stays valid.

The policy runs at its own rate, every k-th tick from the moment a policy mode is entered. At short
servo periods a tick has no time for a whole policy step; observation, inference and action then run
in three consecutive ticks.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import ArmState
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_runtime.policy import PolicyOutput
from skill_runtime.policy.outside_monitor import OutsideMonitor, window_steps
from skill_runtime.policy.servo_rates import servo_rate_fix

MAX_PAUSE_S = 0.5
"""A hold up to this long, as between two commands of a slow client, keeps the recurrent state: arm
and object have hardly moved. A longer hold, or any other motion, resets it [s]."""

PIPELINE_BELOW_S = 2e-3
"""Policy steps are pipelined at servo periods up to this [s]. The shipped policies were trained
with up to 20 ms of delay."""

PIPELINE_DEPTH = 3
"""Ticks of a pipelined step. A policy whose steps are at most this many ticks apart is not
pipelined."""


class TickPolicy(Protocol):
    """A policy with the interface of ``OnnxPolicy``, as far as the runner needs it."""

    @property
    def manifest(self) -> PolicyManifest:
        """The manifest in the policy file."""
        ...

    def step(
        self,
        observation: Array,
        skill: Array | None = None,
        goal: Array | None = None,
        previous_action: Array | None = None,
    ) -> PolicyOutput:
        """Returns one action for one observation ``(O,)``.

        ``previous_action`` is given if the applied action differs from the last output.
        """
        ...

    def reset_slot(self, slot: int) -> None:
        """Resets recurrent state and previous action of one slot."""
        ...


class Inference(NamedTuple):
    """The inputs of one inference, as given to the policy, and its output."""

    observation: Array
    """``(O,)``."""
    vector: Array
    """``(Z,)`` skill or ``(G,)`` goal."""
    by_goal: bool
    """Whether ``vector`` is a goal."""
    applied: Array | None
    """``(A,)`` previous action, if it differs from the policy's last one."""
    age: int
    """Inferences since the last reset of the recurrent state."""
    output: PolicyOutput


class RateMismatchError(ValueError):
    """The policy's period is not a whole number of servo periods."""


class PolicyFaultError(RuntimeError):
    """The output of the policy is not finite."""


def ticks_per_action(rate_hz: float, servo_period_s: float) -> int:
    """Returns the number of servo periods in one period of the policy.

    Raises:
        RateMismatchError: the number is not whole.
    """
    exact = 1.0 / (rate_hz * servo_period_s)
    ticks = round(exact)
    if ticks < 1 or abs(exact - ticks) > 1e-6 * exact:
        raise RateMismatchError(
            f"the policy runs at {rate_hz:g} Hz, the arm at {1 / servo_period_s:g} Hz: the arm's "
            "rate must be a whole multiple of the policy's; "
            f"{servo_rate_fix(rate_hz, 1 / servo_period_s)}"
        )
    return ticks


class PolicyRunner:
    """Runs one policy for one arm.

    Args:
        policy: the policy; its slot 0 belongs to this arm.
        adapter: makes observations and applies actions.
        servo_period_s: time between two ticks [s].

    Attributes:
        policy: as given.
        output: the last output; None while the policy does not run, and before its first step.
        ticks_per_action: servo periods in one policy period.
        phase: ticks since the last observation was due; :meth:`step` takes one at 0.
        pipelined: whether a policy step extends over :data:`PIPELINE_DEPTH` ticks.
        steps: number of inferences since the start.
        inference: the last one; None before the first.
        outside: whether the policy is outside of its training.

    Raises:
        RateMismatchError: the policy's period is not a whole number of servo periods.
    """

    def __init__(self, policy: TickPolicy, adapter: PolicyAdapter, servo_period_s: float) -> None:
        self.policy = policy
        self.output: PolicyOutput | None = None
        self.steps = 0
        self.inference: Inference | None = None
        self.outside = OutsideMonitor(window_steps(policy.manifest))
        self._excursion = False
        self._age = 0
        self.ticks_per_action = ticks_per_action(policy.manifest.control_rate_hz, servo_period_s)
        self.pipelined = (
            servo_period_s <= PIPELINE_BELOW_S and self.ticks_per_action > PIPELINE_DEPTH
        )
        self._adapter = adapter
        self._paused_s = math.inf
        self._applied: Array | None = None
        self.phase = 0
        self._observed: Array | None = None
        self._action: Array | None = None

    # The tick -----------------------------------------------------------------------------------

    def step(self, state: ArmState, vector: Array, *, by_goal: bool) -> None:
        """Does the part of a policy step that is due in this tick.

        Args:
            state: the newest measurement.
            vector: skill or goal.
            by_goal: whether ``vector`` is a goal.

        Raises:
            PolicyFaultError: action or recurrent state are not finite.
            ObjectUnseenError: an object that the policy observes is not reported.
        """
        if self.pipelined:
            self._apply_action(state)
            self._infer(vector, by_goal=by_goal)
        if self.phase == 0:
            self._observed = self._adapter.observation(state)
        if not self.pipelined:
            self._infer(vector, by_goal=by_goal)
            self._apply_action(state)

    def end_tick(self) -> None:
        """Counts one servo period; called in every tick, in every mode."""
        self.phase = (self.phase + 1) % self.ticks_per_action

    def _infer(self, vector: Array, *, by_goal: bool) -> None:
        observed, self._observed = self._observed, None
        if observed is not None:
            self._action = self.run(observed, vector, by_goal=by_goal).action[0]

    def _apply_action(self, state: ArmState) -> None:
        action, self._action = self._action, None
        if action is not None:
            self._adapter.apply_action(action, state)
            self.set_applied(self._adapter.applied_action(action, state))

    def run(self, observation: Array, vector: Array, *, by_goal: bool) -> PolicyOutput:
        """Runs one inference for the observation ``(O,)``, with a skill or goal ``vector``.

        Raises:
            PolicyFaultError: action or recurrent state are not finite.
        """
        applied, self._applied, self._paused_s = self._applied, None, 0.0
        goal = vector if by_goal else None
        skill = vector if len(vector) and not by_goal else None
        output = self.policy.step(observation, skill, goal, applied)
        if not np.isfinite(output.action).all():
            raise PolicyFaultError(f"its action is not finite: {output.action.tolist()}")
        if not output.is_finite.all():
            raise PolicyFaultError("its recurrent state is not finite")
        self.output = output
        distance = output.context_distance
        self._excursion |= self.outside.update(None if distance is None else distance.item(0))
        self.inference = Inference(observation, vector, by_goal, applied, self._age, output)
        self.steps += 1
        self._age += 1
        return output

    def take_excursion(self) -> bool:
        """Returns whether the policy has left its training since the last call."""
        began, self._excursion = self._excursion, False
        return began

    def set_applied(self, action: Array | None) -> None:
        """Sets the action ``(A,)`` that was applied instead of the last output; None if equal."""
        self._applied = action

    # Starts and pauses --------------------------------------------------------------------------

    def start(self, state: ArmState) -> None:
        """Starts the policy for a new command; a policy that runs keeps its rhythm.

        The recurrent state is kept after a pause up to :data:`MAX_PAUSE_S`, and reset otherwise.
        """
        if self.output is not None or self._observed is not None:
            return
        self.phase = 0
        if self._paused_s > MAX_PAUSE_S:
            self._reset_state()
        else:  # the applied action was to stay, not the last output
            self._applied = self._adapter.resting_action(state)

    def pause(self, seconds: float) -> None:
        """Counts a pause; infinite ``seconds`` if another command moves the arm."""
        self.output = None
        self._observed, self._action = None, None
        self._paused_s += seconds

    def reset(self) -> None:
        """Ends the step in progress and resets the recurrent state."""
        self.pause(math.inf)
        self.phase = 0
        self._reset_state()

    def _reset_state(self) -> None:
        self.policy.reset_slot(0)
        self.outside.reset()
        self._excursion = False
        self._age, self._applied = 0, None
