"""PolicyReplay: repeats the inferences of a recording, and finds the first action that differs.

An inference is repeated from the recorded observation, skill or goal, and applied action. The
recurrent state is not recorded: it follows from the steps since its reset, so the replay of a
recurrent policy begins at a reset, and pauses at a lost step until the next one. Another policy may
depend on its last actions or observations; its replay begins once these are recorded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from skill_proto.arrays import Float32Array
from skill_proto.messages import PolicyStep
from skill_runtime.policy import OnnxPolicy, PolicyError
from skill_runtime.subscribers.replay.result import TOLERANCE, Difference, ReplayResult


class ReplayError(Exception):
    """The policy does not fit the recording; the text gives the reason and the fix."""


@dataclass
class PolicyReplay:
    """A replay of one policy.

    Args:
        policy: The policy, with one slot.
        tolerance: Largest difference that counts as equal.

    Attributes:
        result: The outcome so far; several replays may share one.
    """

    policy: OnnxPolicy
    tolerance: float = TOLERANCE
    result: ReplayResult = field(default_factory=ReplayResult)
    _last: tuple[str, int] | None = None
    _known_steps: float = 0
    """Steps in a row before this one; infinity after a reset."""
    _action: tuple[float, ...] | None = None
    """Recorded action of the step before, if that is known."""

    def run(self, steps: Iterable[PolicyStep]) -> ReplayResult:
        """Replays all steps.

        Raises:
            ReplayError: The policy takes other inputs than those of the recording.
        """
        for step in steps:
            self.step(step)
        return self.result

    def step(self, step: PolicyStep) -> None:
        """Replays one step.

        Raises:
            ReplayError: The policy takes other inputs than those of the recording.
        """
        self._follow(step)
        action = self._repeat(step)
        if self._known_steps >= self.policy.memory_steps:
            self.result.replayed += 1
            self._compare(step, action)
        else:
            self.result.unknown += 1
        self._known_steps += 1
        self._action = step.action

    def _follow(self, step: PolicyStep) -> None:
        """Notices lost steps, other servers and resets."""
        last, self._last = self._last, (step.instance, step.step)
        if last is not None and last != (step.instance, step.step - 1):
            self._known_steps, self._action = 0, None
            if last[0] == step.instance:
                self.result.lost += max(0, step.step - last[1] - 1)
        if step.state_age == 0:
            self.result.resets += 1
            self.policy.reset_slot(0)
            self._known_steps, self._action = math.inf, None

    def _repeat(self, step: PolicyStep) -> Float32Array:
        try:
            output = self.policy.step(
                np.asarray(step.observation, np.float32),
                _array(step.skill or None),
                _array(step.goal),
                _array(step.previous_action or self._unknown_action()),
            )
        except PolicyError as error:
            raise ReplayError(
                f"{self.policy.path} is no policy of this recording: {error}; give the file that "
                "was served, or one with the same inputs, with --model FILE"
            ) from None
        return output.action[0]

    def _unknown_action(self) -> tuple[float, ...] | None:
        """Returns the recorded action of the step before, if the policy does not know it."""
        memory = self.policy.memory_steps
        return self._action if self._known_steps <= memory < math.inf else None

    def _compare(self, step: PolicyStep, action: Float32Array) -> None:
        recorded = np.asarray(step.action, np.float32)
        if recorded.shape != action.shape:
            raise ReplayError(
                f"{self.policy.path} has actions of {len(action)} numbers, the recording of "
                f"{len(recorded)}; give the file that was served with --model FILE"
            )
        distance = np.abs(recorded.astype(np.float64) - action)
        index = int(np.argmax(distance))  # NaN counts as the largest
        size = float(distance[index])
        self.result.largest = float(np.maximum(self.result.largest, size))  # so does this
        if size <= self.tolerance:
            return
        self.result.different += 1
        if self.result.first is None:
            self.result.first = Difference(
                step=step.step,
                time=step.time,
                index=index,
                recorded=float(recorded[index]),
                replayed=float(action[index]),
            )


def _array(values: Sequence[float] | None) -> Float32Array | None:
    return None if values is None else np.asarray(values, np.float32)
