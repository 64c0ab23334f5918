"""Runs a policy file, and keeps recurrent state and previous action per slot.

A slot is one stream of observations: one arm, one session of the policy service, or one scene of an
evaluation. All slots of a policy can step together as one batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from skill_proto.arrays import Array, Flags, Float32Array
from skill_proto.vectors import VectorError, normalise_skills
from skill_runtime.policy.arguments import check_count, copy_into, numbers_in
from skill_runtime.policy.context_distance import ContextDistance
from skill_runtime.policy.errors import PolicyError
from skill_runtime.policy.observation_inputs import ObservationInputs
from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.session import Device, reason_of
from skill_runtime.policy.policy_file import open_policy_file
from skill_runtime.policy.recurrent_state import RecurrentStates, Slots, Tensors

WARM_UP_RUNS = 10
"""Inferences on loading, so that the memory for the first real one is already allocated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyOutput:
    """The result of one inference, one row per slot. The caller owns the arrays."""

    action: Float32Array
    """``(n, A)`` in [-1, 1]; NaN if the graph returned NaN."""
    skill_used: Float32Array
    """``(n, Z)``: the given skill, or the skill that the graph computed from the goal."""
    context: Float32Array | None
    """``(n, C)`` inferred context; None if the policy has no encoder."""
    context_distance: Float32Array | None = None
    """``(n, 1)`` distance of the context from the training contexts; None if the manifest is not
    calibrated. NaN as long as the active state is younger than half of the shortest horizon: the
    calibration used states of the second half only, so every younger state would look unusual."""
    estimate: Float32Array | None = None
    """``(n, E)`` quantities of the manifest's ``context.estimates``, in physical units."""
    is_finite: Flags
    """``(n,)``: whether action and recurrent state are finite. A slot that is not finite has
    already been reset."""


class OnnxPolicy:
    """A policy file, run by ONNX Runtime.

    Args:
        path: The ``.onnx`` file.
        device: ``"cpu"`` or ``"cuda"``; the policy never falls back from one to the other.
        slots: Number of streams of observations that are kept apart, at least 0.

    Attributes:
        manifest: The manifest of the file.
        path: The file.
        sha256: Digest of the bytes that were loaded, hexadecimal.
        inference_s: Shortest time of an inference during loading [s].

    Raises:
        PolicyFileError: The file cannot be served.
        PolicyError: ``slots`` is no number of slots.
    """

    def __init__(self, path: Path | str, *, device: Device = "cpu", slots: int = 1) -> None:
        self._file = open_policy_file(path, device=device)
        self.manifest = self._file.manifest
        self.path = self._file.path
        self.sha256 = self._file.sha256
        self._output_names = [tensor.graph_name for tensor in self._file.outputs]
        self._state_names = tuple(state.name for state in self.manifest.recurrent)
        context, tensors = self.manifest.context, self.manifest.tensors
        self._distance = ContextDistance(context) if context and context.center else None
        self._low = np.float32(tensors.action_low)
        self._high = np.float32(tensors.action_high)
        self._to_unit = np.float32(2.0 / (tensors.action_high - tensors.action_low))
        self.reset(slots)
        self.inference_s = self._warm_up()

    @property
    def slots(self) -> int:
        """Number of streams that are kept apart."""
        return len(self._inputs["observation"])

    @property
    def memory_steps(self) -> float:
        """Earlier steps of its slot on which an action depends; infinity with a recurrent state."""
        if self._state_names:
            return math.inf
        takes_action = any(tensor.name == "previous_action" for tensor in self._file.inputs)
        # The newest previous action is already that of the step before.
        reach = [
            field.history - (field.name != "previous_action") for field in self.manifest.observation
        ]
        return max(int(takes_action), *reach)

    def reset(self, n: int) -> None:
        """Starts ``n`` new episodes in ``n`` slots.

        Raises:
            PolicyError: ``n`` is no whole number of at least 0.
        """
        check_count(n)
        manifest = self.manifest
        # Stored even if the graph does not take it: the previous action is part of the state.
        sizes = {"observation": manifest.observation_size, "previous_action": manifest.action_size}
        commands = {"skill": manifest.skill.size, "goal": manifest.goal_size}
        sizes |= {name: size for name, size in commands.items() if size}
        if any(tensor.name == "use_goal" for tensor in self._file.inputs):
            sizes["use_goal"] = 1
        self._inputs: Tensors = {
            name: np.zeros((n, size), np.float32) for name, size in sizes.items()
        }
        self._observation = ObservationInputs(manifest, n)
        self._states = RecurrentStates(self.manifest.recurrent, n)
        self._all_slots: Slots = np.arange(n)

    def reset_slot(self, slot: int) -> None:
        """Starts a new episode in one slot: clears recurrent state and previous action."""
        self._reset_slots(slot)

    def _reset_slots(self, slots: Slots | int) -> None:
        self._inputs["previous_action"][slots] = 0.0
        self._states.reset(slots)
        self._observation.reset(slots)

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns ``(n, A)`` actions for ``(n, O)`` observations, one row per slot.

        Raises:
            PolicyError: As :meth:`step`, or an action or recurrent state is not finite.
        """
        output = self.step(observation, skill, goal)
        if not output.is_finite.all():
            raise PolicyError(
                f"{self.path} returned an action or recurrent state that is not a finite number; "
                "check that the observation is finite and inside the range of training"
            )
        return output.action.astype(np.float64)

    def step(
        self,
        observation: ArrayLike,
        skill: ArrayLike | None = None,
        goal: ArrayLike | None = None,
        previous_action: ArrayLike | None = None,
    ) -> PolicyOutput:
        """Runs one control step of every slot.

        Args:
            observation: ``(slots, O)``, or ``(O,)`` with one slot; raw units.
            skill: ``(slots, Z)`` or ``(Z,)``. A policy that takes no skills accepts one of size 0.
            goal: ``(slots, G)`` or ``(G,)``, instead of a skill.
            previous_action: ``(slots, A)`` or ``(A,)`` in [-1, 1]: the action that was executed, if
                it differs from the policy's last action.

        Raises:
            PolicyError: Skill and goal are both given or both missing, the policy does not take the
                given one, the skill is none of the policy's, skill or goal are not finite, or an
                array is none of numbers or has a wrong size.
        """
        self._fill(self._inputs, observation, skill, goal)
        self._set_previous_action(self._inputs, previous_action)
        return self._step(self._all_slots, self._inputs)

    def step_slots(
        self,
        slots: Sequence[int],
        observation: ArrayLike,
        skill: ArrayLike | None = None,
        goal: ArrayLike | None = None,
        previous_action: ArrayLike | None = None,
    ) -> PolicyOutput:
        """Runs one control step of some slots, one row of each argument per entry of ``slots``.

        Args:
            slots: ``(n,)`` slots to step, each at most once.
            observation: ``(n, O)``, raw units.
            skill: ``(n, Z)``.
            goal: ``(n, G)``, instead of a skill.
            previous_action: ``(n, A)`` in [-1, 1]: the action that was executed, if it differs from
                the policy's last action.

        Raises:
            PolicyError: As :meth:`step`, or a slot is named twice.
        """
        index = np.asarray(slots, dtype=np.intp)
        if len(np.unique(index)) != len(index):
            raise PolicyError(f"slots {list(slots)} name a slot twice; name each slot once")
        inputs = {name: array[index] for name, array in self._inputs.items()}
        self._fill(inputs, observation, skill, goal)
        self._set_previous_action(inputs, previous_action)
        return self._step(index, inputs)

    def _step(self, slots: Slots, inputs: Tensors) -> PolicyOutput:
        gathered = self._states.gather(slots)
        given = inputs | self._observation.assemble(slots, inputs)
        feed = {name: gathered.with_standby_rows(array) for name, array in given.items()}
        outputs = self._infer(feed | gathered.states)
        state_is_finite = self._states.scatter(gathered, outputs)
        output = self._output(outputs, inputs, state_is_finite, slots)
        # The arm executes the clipped action, so this is the previous action of the next step.
        clipped = np.minimum(np.maximum(outputs["action"][: len(slots)], self._low), self._high)
        self._inputs["previous_action"][slots] = clipped
        if not output.is_finite.all():
            self._reset_slots(slots[~output.is_finite])
        return output

    def _set_previous_action(self, inputs: Tensors, action: ArrayLike | None) -> None:
        """Copies the action that was executed, mapped from [-1, 1] to the bounds of the graph."""
        if action is None:
            return
        given = numbers_in("previous_action", action).astype(np.float32)
        copy_into(inputs, "previous_action", (given + 1.0) / self._to_unit + self._low)

    def _fill(
        self,
        inputs: Tensors,
        observation: ArrayLike,
        skill: ArrayLike | None,
        goal: ArrayLike | None,
    ) -> None:
        """Checks observation, skill and goal, and copies them into the inputs."""
        self._check_given(inputs, skill, goal)
        copy_into(inputs, "observation", observation)
        if "skill" in inputs:
            self._set_skill(inputs, skill)
        if "goal" in inputs:
            inputs["goal"][:] = 0.0
            if goal is not None:
                copy_into(inputs, "goal", goal, finite=True)
        if "use_goal" in inputs:
            inputs["use_goal"][:] = 0.0 if goal is None else 1.0

    def _set_skill(self, inputs: Tensors, skill: ArrayLike | None) -> None:
        inputs["skill"][:] = 0.0
        if skill is None:
            return
        given = copy_into(inputs, "skill", skill, finite=True)
        try:
            normalise_skills(np.atleast_2d(given), self.manifest.skill)
        except VectorError as error:
            raise PolicyError(f"{error}; {error.fix}") from None

    def _check_given(
        self, inputs: Tensors, skill: ArrayLike | None, goal: ArrayLike | None
    ) -> None:
        """Checks that skill and goal are those that the policy takes and needs."""
        if goal is not None and "goal" not in inputs:
            raise PolicyError(f"{self.manifest.name} takes no goals")
        if goal is None and "skill" not in inputs and "goal" in inputs:
            raise PolicyError(
                f"{self.manifest.name} needs a goal of {self.manifest.goal_size} numbers"
            )
        if goal is None and skill is None and "skill" in inputs:
            raise PolicyError(
                f"{self.manifest.name} needs a skill of {self.manifest.skill.size} numbers"
                + (" or a goal" if "goal" in inputs else "")
            )
        if skill is not None and "skill" not in inputs and np.size(skill):
            raise PolicyError(f"{self.manifest.name} takes no skills")
        if skill is not None and goal is not None and "skill" in inputs:
            raise PolicyError(
                f"{self.manifest.name} got both a skill and a goal, which exclude each other; give "
                "one of them"
            )

    def _infer(self, inputs: Tensors) -> Tensors:
        n = len(inputs[self._file.inputs[0].name])
        if n == 1 or self._file.batched:
            return self._run(inputs, n)
        rows = [
            self._run({name: array[i : i + 1] for name, array in inputs.items()}, 1)
            for i in range(n)
        ]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    def _run(self, inputs: Tensors, n: int) -> Tensors:
        feed = {
            tensor.graph_name: tensor.to_graph(inputs[tensor.name]) for tensor in self._file.inputs
        }
        values = self._file.session.run(self._output_names, feed)
        return {
            tensor.name: tensor.from_graph(value, n)
            for tensor, value in zip(self._file.outputs, values, strict=True)
        }

    def _output(
        self, outputs: Tensors, inputs: Tensors, state_is_finite: Flags, slots: Slots
    ) -> PolicyOutput:
        n = len(slots)
        action = (outputs["action"][:n] - self._low) * self._to_unit - np.float32(1.0)
        skill_used = _active_rows(outputs, "skill_used", n)
        context = _active_rows(outputs, "context", n)
        if skill_used is None:
            given = inputs.get("skill")
            skill_used = np.zeros((n, 0), np.float32) if given is None else given.copy()
        return PolicyOutput(
            action=np.minimum(np.maximum(action, np.float32(-1.0)), np.float32(1.0)),
            skill_used=skill_used,
            context=context,
            context_distance=self._distance_of(context, slots),
            estimate=_active_rows(outputs, "estimate", n),
            is_finite=state_is_finite & np.isfinite(action).all(axis=1),
        )

    def _distance_of(self, context: Float32Array | None, slots: Slots) -> Float32Array | None:
        if self._distance is None or context is None:
            return None
        distance = self._distance.of(context)
        distance[~self._states.is_warm(slots)] = np.nan
        return distance

    def _warm_up(self) -> float:
        """Runs the graph on zeros, which is the last check of the file.

        Returns:
            The shortest time of an inference with the largest batch that :meth:`step` can need [s].
        """
        one = {
            tensor.name: np.zeros((1, *tensor.row_shape), np.float32)
            for tensor in self._file.inputs
        }
        sizes = (self.slots, 2 * self.slots) if self._state_names else (self.slots,)
        times = [0.0]
        try:
            for n in sizes:
                rows = {name: np.repeat(row, n, axis=0) for name, row in one.items()}
                times = [self._timed_inference(rows) for _ in range(WARM_UP_RUNS)]
        # onnxruntime's exceptions derive from Exception directly; numpy's reshape adds ValueError.
        except Exception as error:
            raise PolicyFileError(
                self.path,
                f"the graph fails on an input of zeros: {reason_of(error)}",
                "a graph that runs on its declared inputs and gives its declared outputs",
                "export the policy again and compare it with the network it came from",
            ) from None
        return min(times)

    def _timed_inference(self, inputs: Tensors) -> float:
        start = time.perf_counter()
        self._infer(inputs)
        return time.perf_counter() - start


def _active_rows(outputs: Tensors, name: str, n: int) -> Float32Array | None:
    """Returns the first ``n`` rows, those of the active states; None without such an output."""
    rows = outputs.get(name)
    return None if rows is None else rows[:n]
