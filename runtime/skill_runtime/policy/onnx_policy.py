"""OnnxPolicy: a policy file that acts, with memory and previous action kept per slot.

A slot is one stream of observations: one arm, one session of the policy service, one scene of an
evaluation. All slots of a policy can step together as one batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skill_proto.arrays import Array
from skill_runtime.policy.context_distance import ContextDistance
from skill_runtime.policy.policy_file import (
    Device,
    PolicyFileError,
    Tensor,
    load_manifest,
    open_policy_file,
)
from skill_runtime.policy.recurrent_state import RecurrentStates, Slots

__all__ = ["OnnxPolicy", "PolicyError", "PolicyFileError", "PolicyOutput", "load_manifest"]

Array32 = NDArray[np.float32]
Tensors = dict[str, Array32]

WARM_UP_RUNS = 10
"""Inferences made on loading, so that the first real one finds memory allocated."""


class PolicyError(ValueError):
    """A policy was given what it does not take, or put out what is not a number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyOutput:
    """What one inference gives, a row per slot; the arrays are the caller's to keep."""

    action: Array32
    """``(n, A)`` in [-1, 1]; NaN where the graph put out NaN."""
    skill_used: Array32
    """``(n, Z)``: the skill given, or what the graph made of the goal."""
    context: Array32 | None
    """``(n, C)`` inferred context, where the policy has an encoder."""
    context_distance: Array32 | None = None
    """``(n, 1)`` of the context from what training saw, where the manifest is calibrated for it.
    NaN where the acting state is younger than half of the shortest horizon: it was calibrated on
    states of the second half, and would call every younger one unusual."""
    estimate: Array32 | None = None
    """``(n, E)`` of the quantities in the manifest's ``context.estimates``, physical units."""
    sound: NDArray[np.bool_]
    """``(n,)``: action and recurrent state are finite numbers. Where they are not, the slot's
    memory has been forgotten already."""


class OnnxPolicy:
    """A policy file, run through ONNX Runtime.

    Args:
        path: The ``.onnx`` file.
        device: ``"cpu"`` or ``"cuda"``; never falls back from one to the other.
        slots: Streams of observations that are kept apart.

    Attributes:
        manifest: what the file says of itself.
        path: the file.
        inference_s: Shortest time that an inference took on loading [s].

    Raises:
        PolicyFileError: the file cannot be served as it is.
    """

    def __init__(self, path: Path | str, *, device: Device = "cpu", slots: int = 1) -> None:
        self._file = open_policy_file(path, device=device)
        self.manifest = self._file.manifest
        self.path = self._file.path
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
        """Number of streams kept apart."""
        return len(self._inputs["observation"])

    def reset(self, n: int) -> None:
        """Starts ``n`` new episodes in ``n`` slots."""
        sizes = {tensor.name: tensor.row_shape for tensor in self._file.inputs}
        # Kept even where the graph does not ask for it: the previous action is part of the state.
        sizes["previous_action"] = (self.manifest.action_size,)
        self._inputs: Tensors = {
            name: np.zeros((n, *row_shape), np.float32)
            for name, row_shape in sizes.items()
            if name not in self._state_names
        }
        self._memory = RecurrentStates(self.manifest.recurrent, n)
        self._everyone: Slots = np.arange(n)

    def reset_slot(self, slot: int) -> None:
        """Starts a new episode in one slot: forgets recurrent state and the previous action."""
        self._forget(slot)

    def _forget(self, slots: Slots | int) -> None:
        self._inputs["previous_action"][slots] = 0.0
        self._memory.forget(slots)

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """``(n, A)`` actions for ``(n, O)`` observations, a row per slot.

        Raises:
            PolicyError: no skill and no goal, one that the policy does not take, wrong sizes, or
                an action that is not a number.
        """
        output = self.step(observation, skill, goal)
        if not output.sound.all():
            raise PolicyError(
                f"{self.path} put out an action or a recurrent state that is not a finite number"
            )
        return output.action.astype(np.float64)

    def step(
        self,
        observation: ArrayLike,
        skill: ArrayLike | None = None,
        goal: ArrayLike | None = None,
        previous_action: ArrayLike | None = None,
    ) -> PolicyOutput:
        """One control step of every slot.

        Args:
            observation: ``(slots, O)``, or ``(O,)`` with one slot; raw units.
            skill: ``(slots, Z)`` or ``(Z,)``.
            goal: ``(slots, G)`` or ``(G,)``; takes the place of the skill.
            previous_action: ``(slots, A)`` or ``(A,)`` in [-1, 1] where something else was done
                than what this policy said last.

        Raises:
            PolicyError: no skill and no goal, one that the policy does not take, or wrong sizes.
        """
        if previous_action is not None:
            _put(self._inputs, "previous_action", self._to_graph(previous_action))
        self._fill(self._inputs, observation, skill, goal)
        return self._step(self._everyone, self._inputs)

    def step_slots(
        self,
        slots: Sequence[int],
        observation: ArrayLike,
        skill: ArrayLike | None = None,
        goal: ArrayLike | None = None,
        previous_action: ArrayLike | None = None,
    ) -> PolicyOutput:
        """One control step of some slots, a row of each argument per entry of ``slots``.

        Args:
            slots: Which; each at most once.
            observation: ``(n, O)``, raw units.
            skill: ``(n, Z)``.
            goal: ``(n, G)``; takes the place of the skill.
            previous_action: ``(n, A)`` in [-1, 1] where the caller did something else than what
                this policy said last.

        Raises:
            PolicyError: as :meth:`step`, or a slot named twice.
        """
        index = np.asarray(slots, dtype=np.intp)
        if len(np.unique(index)) != len(index):
            raise PolicyError(f"slots {list(slots)} names a slot twice")
        inputs = {name: array[index] for name, array in self._inputs.items()}
        if previous_action is not None:
            _put(inputs, "previous_action", self._to_graph(previous_action))
        self._fill(inputs, observation, skill, goal)
        return self._step(index, inputs)

    def _step(self, slots: Slots, inputs: Tensors) -> PolicyOutput:
        recall = self._memory.recall(slots)
        feed = {name: recall.with_rows_for_successors(array) for name, array in inputs.items()}
        outputs = self._infer(feed | recall.states)
        sound = self._memory.keep(recall, outputs)
        output = self._output(outputs, inputs, sound, slots)
        # What is done is the action within its bounds, whatever the graph said beyond them.
        done = np.minimum(np.maximum(outputs["action"][: len(slots)], self._low), self._high)
        self._inputs["previous_action"][slots] = done
        if not output.sound.all():
            self._forget(slots[~output.sound])
        return output

    def _to_graph(self, action: ArrayLike) -> Array32:
        """An action in [-1, 1] in the graph's own bounds."""
        return (np.asarray(action, np.float32) + 1.0) / self._to_unit + self._low

    def _fill(
        self,
        inputs: Tensors,
        observation: ArrayLike,
        skill: ArrayLike | None,
        goal: ArrayLike | None,
    ) -> None:
        if goal is not None and "goal" not in inputs:
            raise PolicyError(f"{self.manifest.name} takes no goals")
        if goal is None and "skill" not in inputs and "goal" in inputs:
            raise PolicyError(f"{self.manifest.name} needs a goal of {self.manifest.goal_size}")
        if goal is None and skill is None and "skill" in inputs:
            raise PolicyError(
                f"{self.manifest.name} needs a skill of {self.manifest.skill.size}"
                + (" or a goal" if "goal" in inputs else "")
            )
        if skill is not None and "skill" not in inputs:
            raise PolicyError(f"{self.manifest.name} takes no skills")
        _put(inputs, "observation", observation)
        if "skill" in inputs:
            _put(inputs, "skill", 0.0 if skill is None else skill)
        if "goal" in inputs:
            _put(inputs, "goal", 0.0 if goal is None else goal)
        if "use_goal" in inputs:
            inputs["use_goal"][:] = 0.0 if goal is None else 1.0

    def _infer(self, inputs: Tensors) -> Tensors:
        n = len(inputs["observation"])
        if n == 1 or self._file.batched:
            return self._run(inputs, n)
        rows = [
            self._run({name: array[i : i + 1] for name, array in inputs.items()}, 1)
            for i in range(n)
        ]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    def _run(self, inputs: Tensors, n: int) -> Tensors:
        feed = {
            tensor.graph_name: inputs[tensor.name].reshape(_shape(tensor, n))
            for tensor in self._file.inputs
        }
        values = self._file.session.run(self._output_names, feed)
        return {
            tensor.name: value.reshape((n, *tensor.row_shape))
            for tensor, value in zip(self._file.outputs, values, strict=True)
        }

    def _output(
        self, outputs: Tensors, inputs: Tensors, sound: NDArray[np.bool_], slots: Slots
    ) -> PolicyOutput:
        n = len(sound)
        action = (outputs["action"][:n] - self._low) * self._to_unit - np.float32(1.0)
        skill_used, context = _first(outputs, "skill_used", n), _first(outputs, "context", n)
        if skill_used is None:
            given = inputs.get("skill")
            skill_used = np.zeros((n, 0), np.float32) if given is None else given.copy()
        return PolicyOutput(
            action=np.minimum(np.maximum(action, np.float32(-1.0)), np.float32(1.0)),
            skill_used=skill_used,
            context=context,
            context_distance=self._distance_of(context, slots),
            estimate=_first(outputs, "estimate", n),
            sound=sound & np.isfinite(action).all(axis=1),
        )

    def _distance_of(self, context: Array32 | None, slots: Slots) -> Array32 | None:
        if self._distance is None or context is None:
            return None
        distance = self._distance.of(context)
        distance[~self._memory.is_settled(slots)] = np.nan
        return distance

    def _warm_up(self) -> float:
        """Runs the graph on zeros; the last check that it does what its file says.

        Returns the shortest time of the largest batch that acting takes [s].
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
                f"the graph fails on an input of zeros: {str(error).splitlines()[0][:300]}",
                "a graph that runs on its declared inputs and gives its declared outputs",
                "export the policy again and compare it with the network it came from",
            ) from None
        return min(times)

    def _timed_inference(self, inputs: Tensors) -> float:
        start = time.perf_counter()
        self._infer(inputs)
        return time.perf_counter() - start


def _shape(tensor: Tensor, n: int) -> tuple[int, ...]:
    return tensor.shape_of_one if n == 1 else (n, *tensor.row_shape)


def _first(outputs: Tensors, name: str, n: int) -> Array32 | None:
    """The first ``n`` rows, those of the acting states; None where there is no such output."""
    rows = outputs.get(name)
    return None if rows is None else rows[:n]


def _put(inputs: Tensors, name: str, value: ArrayLike) -> None:
    """Copies a value into a tensor; a wrong size is the caller's error."""
    target = inputs[name]
    array = np.asarray(value)
    if array.ndim and array.shape not in (target.shape, target.shape[1:]):
        raise PolicyError(f"{name} has shape {array.shape}, expected {target.shape}")
    np.copyto(target, array, casting="same_kind")
