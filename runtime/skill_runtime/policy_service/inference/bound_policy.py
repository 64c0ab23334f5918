"""Runs a graph whose inputs and outputs are bound to memory that is allocated once.

ONNX Runtime reads the input rows and writes the output rows in place. A step changes the memory of
its slots only after the results were found finite, so a step that fails leaves no trace.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from skill_proto.arrays import Flags, Float32Array
from skill_runtime.policy.context_distance import ContextDistance
from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.session import reason_of
from skill_runtime.policy.policy_file import PolicyFile
from skill_runtime.policy.recurrent_state import (
    ACTIVE,
    STANDBY,
    Slots,
    Tensors,
    changed_rows,
)
from skill_runtime.policy_service.inference.input_rows import InputRows
from skill_runtime.policy_service.inference.stepper import (
    SlotMemory,
    Spans,
    StepResult,
    all_finite,
    whole_requests,
)

WARM_UP_RUNS = 10
"""Inferences on loading, so that ONNX Runtime has allocated its memory before the first request."""


_LOW, _HIGH = np.float32(-1.0), np.float32(1.0)

_YOUNG = np.zeros(1, np.bool_)
"""No row of one has a distance."""


class _OneRow(NamedTuple):
    """Views of the results of a single slot, made once."""

    raw: Float32Array
    """``(1, A)`` action of the graph."""
    action: Float32Array
    """``(1, A)`` within its bounds."""
    flat: tuple[list[Float32Array], list[Float32Array]]
    """All results that must be finite; without and with a standby state."""

    @classmethod
    def of(cls, outputs: Tensors, action: Float32Array, states: list[Float32Array]) -> _OneRow:
        """Returns the views of these outputs."""
        raw = outputs["action"][:1]
        flat = [raw.reshape(-1)]
        alone = [*flat, *[state[:1].reshape(-1) for state in states]]
        both = [*flat, *[state[:2].reshape(-1) for state in states]]
        return cls(raw, action[:1], (alone, both))


class BoundPolicy:
    """A policy file on fixed memory; see ``Stepper``.

    Args:
        file: The open file, for which ``can_bind`` holds.
        slots: Number of sessions' rows that are kept apart, and largest batch.

    Raises:
        PolicyFileError: The graph fails on an input of zeros.
    """

    mixes_commands = True

    def __init__(self, file: PolicyFile, slots: int) -> None:
        self.manifest, self.path, self.sha256 = file.manifest, file.path, file.sha256
        manifest = self.manifest
        self.rows = InputRows(manifest, slots)
        self._session: Any = file.session
        self._run = file.session.run_with_iobinding
        recurrent = manifest.recurrent
        self._horizon = min((state.trained_horizon_steps for state in recurrent), default=1)
        self._half = self._horizon - self._horizon // 2
        self._staggered = any(state.beyond_horizon == "stagger" for state in recurrent)
        self._state_in = {s.name: np.zeros((2 * slots, *s.shape), np.float32) for s in recurrent}
        self._memory = SlotMemory(
            states={s.name: np.zeros((2, slots, *s.shape), np.float32) for s in recurrent},
            age=np.zeros(slots, np.int64),
            previous_action=np.zeros((slots, manifest.action_size), np.float32),
        )
        tensors = self.rows.tensors | self._state_in | {"use_goal": self.rows.use_goal}
        self._inputs = {tensor.graph_name: tensors[tensor.name] for tensor in file.inputs}
        self._doubled = [
            tensors[tensor.name] for tensor in file.inputs if tensor.name not in self._state_in
        ]
        self._outputs = {
            tensor.name: np.zeros((2 * slots, *tensor.row_shape), np.float32)
            for tensor in file.outputs
        }
        self._graph_outputs = {t.graph_name: self._outputs[t.name] for t in file.outputs}
        self._next = [
            (self._memory.states[s.name], self._state_in[s.name], self._outputs[f"next_{s.name}"])
            for s in recurrent
        ]
        self._takes_previous = any(tensor.name == "previous_action" for tensor in file.inputs)
        context = manifest.context
        self._distance = ContextDistance(context) if context and context.center else None
        self._has_context = context is not None
        self._action = np.zeros((slots, manifest.action_size), np.float32)
        self._one = _OneRow.of(self._outputs, self._action, [new for _, _, new in self._next])
        self._bindings: dict[int, Any] = {}
        self._warm_up()

    def _binding(self, n: int) -> Any:  # noqa: ANN401  onnxruntime has no types
        """Returns the binding of the first ``n`` rows; made once."""
        binding = self._bindings.get(n)
        if binding is None:
            binding = self._session.io_binding()
            for name, array in self._inputs.items():
                shape, address = (n, *array.shape[1:]), array.ctypes.data
                binding.bind_input(name, "cpu", 0, np.float32, shape, address)
            for name, array in self._graph_outputs.items():
                shape, address = (n, *array.shape[1:]), array.ctypes.data
                binding.bind_output(name, "cpu", 0, np.float32, shape, address)
            self._bindings[n] = binding
        return binding

    def _warm_up(self) -> None:
        try:
            for n in (1, 2):
                binding = self._binding(n)
                for _ in range(WARM_UP_RUNS):
                    self._run(binding)
        # onnxruntime's exceptions derive from Exception directly.
        except Exception as error:
            raise PolicyFileError(
                self.path,
                f"the graph fails on an input of zeros: {reason_of(error)}",
                "a graph that runs on its declared inputs and gives its declared outputs",
                "export the policy again and compare it with the network it came from",
            ) from None

    # Steps --------------------------------------------------------------------------------------

    def step(self, slots: list[int], spans: Spans) -> StepResult:
        """Steps ``slots``, each named once, on the first rows of ``rows``; see ``Stepper``.

        Raises:
            Exception: The graph failed; no slot has changed.
        """
        n = len(slots)
        if n == 1:
            return self._step_one(slots[0], spans)
        index = np.array(slots, np.intp)
        standby = self._gather(index)
        m = 0 if standby is None else len(standby)
        self._run(self._bindings.get(n + m) or self._binding(n + m))
        return self._finish(index, standby, spans)

    def _step_one(self, slot: int, spans: Spans) -> StepResult:
        """Steps one slot with views of single rows, which cost less than index arrays."""
        memory, one = self._memory, self._one
        age = int(memory.age[slot]) if self._next else 0
        m = int(self._staggered and age >= self._half)
        if self._takes_previous and not self.rows.own_action[0]:
            self.rows.tensors["previous_action"][0] = memory.previous_action[slot]
        for state, state_in, _ in self._next:
            state_in[0] = state[ACTIVE, slot]
        if m:
            for array in self._doubled:
                array[1] = array[0]
            for state, state_in, _ in self._next:
                state_in[1] = state[STANDBY, slot]
        self._run(self._bindings[1 + m])
        for flat in one.flat[m]:
            if not math.isfinite(flat.dot(flat)):  # a rare case, which may be an overflow
                index = np.array([slot], np.intp)
                return self._finish(index, np.zeros(1, np.intp) if m else None, spans)
        _clip(one.raw, one.action)
        memory.previous_action[slot] = one.action[0]
        if self._next:
            # Only a step that changes a state makes it older than half a horizon.
            young = age < self._horizon // 2
            age += young or any((new[0] != old[0]).any() for _, old, new in self._next)
            ends = self._staggered and age >= self._horizon
            for state, _, new in self._next:
                state[ACTIVE, slot] = new[int(ends and m)]
                if m:
                    state[STANDBY, slot] = 0.0 if ends else new[1]
            memory.age[slot] = age = age - self._half if ends else age
        return self._results(1, None, None if age >= self._horizon // 2 else _YOUNG)

    def _gather(self, index: Slots) -> Slots | None:
        """Fills the rows of memory; returns the positions of slots with a standby state."""
        memory, n = self._memory, len(index)
        if self._takes_previous:
            previous = self.rows.tensors["previous_action"]
            own = self.rows.own_action[:n]
            if any(own):
                kept = np.flatnonzero(np.logical_not(own))
                previous[kept] = memory.previous_action[index[kept]]
            else:
                np.take(memory.previous_action, index, axis=0, out=previous[:n], mode="clip")
        for state, state_in, _ in self._next:
            np.take(state[ACTIVE], index, axis=0, out=state_in[:n], mode="clip")
        if not self._staggered:
            return None
        standby = np.flatnonzero(memory.age[index] >= self._half)
        m = len(standby)
        if not m:
            return None
        for array in self._doubled:
            array[n : n + m] = array[standby]
        for state, state_in, _ in self._next:
            state_in[n : n + m] = state[STANDBY, index[standby]]
        return standby

    def _finish(self, index: Slots, standby: Slots | None, spans: Spans) -> StepResult:
        """Stores the results of the requests whose rows are finite."""
        memory, n = self._memory, len(index)
        m = 0 if standby is None else len(standby)
        raw = self._outputs["action"][:n]
        action = _clip(raw, self._action[:n])
        finite = self._finite_rows(n, standby)
        kept, rows = index, slice(0, n)
        whole = None if finite is None else whole_requests(finite, spans)
        if whole is not None:
            rows = np.flatnonzero(whole)
            kept = index[rows]
        changed = np.zeros(len(kept), np.bool_)
        memory.previous_action[kept] = action[rows]
        for state, _, new in self._next:
            changed |= changed_rows(new[:n][rows], state[ACTIVE, kept])
            state[ACTIVE, kept] = new[:n][rows]
        if standby is not None:
            good = slice(0, m) if whole is None else np.flatnonzero(whole[standby])
            for state, _, new in self._next:
                state[STANDBY, index[standby][good]] = new[n : n + m][good]
        memory.age[kept] += changed | (memory.age[kept] < self._horizon // 2)
        if self._staggered:
            self._activate_standby(kept[memory.age[kept] >= self._horizon])
        return self._results(n, finite, memory.age[index] >= self._horizon // 2)

    def _activate_standby(self, slots: Slots) -> None:
        if len(slots):
            for state in self._memory.states.values():
                state[ACTIVE, slots] = state[STANDBY, slots]
                state[STANDBY, slots] = 0.0
            # The standby state started when the active one was `_half` steps old.
            self._memory.age[slots] -= self._half

    def _finite_rows(self, n: int, standby: Slots | None) -> Flags | None:
        """Returns which of ``n`` rows are finite, states included; None if all are."""
        m = 0 if standby is None else len(standby)
        news = [new[: n + m] for _, _, new in self._next]
        if all_finite(self._outputs["action"][:n]) and all(map(all_finite, news)):
            return None
        finite: Flags = np.logical_and.reduce(np.isfinite(self._outputs["action"][:n]), axis=1)
        for new in news:
            rows = np.logical_and.reduce(np.isfinite(new.reshape(n + m, -1)), axis=1)
            finite &= rows[:n]
            if standby is not None:
                finite[standby] &= rows[n:]
        return finite

    def _results(self, n: int, finite: Flags | None, warm: Flags | None) -> StepResult:
        """Returns views of the first ``n`` rows.

        Args:
            n: Number of slots.
            finite: Rows that are finite; None if all are.
            warm: Rows whose distance is defined; None if all are.
        """
        if not self._has_context:
            return StepResult(self._action[:n], None, None, None, finite)
        context = self._rows_of("context", n)
        distance = None
        if context is not None and self._distance is not None:
            distance = self._distance.of_quietly(context)
            if warm is not None:
                distance[~warm] = np.nan
        estimate = self._rows_of("estimate", n)
        return StepResult(self._action[:n], context, distance, estimate, finite)

    def _rows_of(self, name: str, n: int) -> Float32Array | None:
        array = self._outputs.get(name)
        return None if array is None else array[:n]

    # Memory -------------------------------------------------------------------------------------

    def reset_slot(self, slot: int) -> None:
        """Starts a new episode in one slot."""
        self._memory.previous_action[slot] = 0.0
        self._memory.age[slot] = 0
        for state in self._memory.states.values():
            state[:, slot] = 0.0

    def memory(self) -> SlotMemory:
        """Returns a copy of the memory of all slots."""
        return SlotMemory(
            states={name: array.copy() for name, array in self._memory.states.items()},
            age=self._memory.age.copy(),
            previous_action=self._memory.previous_action.copy(),
        )

    def set_memory(self, memory: SlotMemory) -> None:
        """Takes over the memory of another policy with the same recurrent states."""
        for name, array in memory.states.items():
            self._memory.states[name][:] = array
        self._memory.age[:] = memory.age
        self._memory.previous_action[:] = memory.previous_action


def _clip(raw: Float32Array, action: Float32Array) -> Float32Array:
    """Writes actions within their bounds, which costs half of ``np.clip`` for a few rows."""
    np.maximum(raw, _LOW, out=action)
    return np.minimum(action, _HIGH, out=action)
