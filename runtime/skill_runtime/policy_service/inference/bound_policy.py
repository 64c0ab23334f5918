"""Runs a graph whose inputs and outputs are bound to memory that is allocated once.

ONNX Runtime reads the input rows and writes the output rows in place. A step changes the memory of
its slots only after the results were found finite, so a step that fails leaves no trace.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skill_proto.arrays import Flags, Float32Array
from skill_runtime.policy.context_distance import ContextDistance
from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.session import reason_of
from skill_runtime.policy.policy_file import PolicyFile
from skill_runtime.policy.recurrent_state import ACTIVE, STANDBY, Slots
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
        self._action = np.zeros((slots, manifest.action_size), np.float32)
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
        """Steps one slot, mostly with views of one row, which cost less than index arrays."""
        memory = self._memory
        age = int(memory.age[slot]) if self._next else 0
        if self._staggered and (age >= self._half or age + 1 >= self._horizon):
            index = np.array([slot], np.intp)
            standby = self._gather(index)
            m = 0 if standby is None else len(standby)
            self._run(self._bindings.get(1 + m) or self._binding(1 + m))
            return self._finish(index, standby, spans)
        if self._takes_previous and not self.rows.own_action[0]:
            self.rows.tensors["previous_action"][0] = memory.previous_action[slot]
        for state, state_in, _ in self._next:
            state_in[0] = state[ACTIVE, slot]
        self._run(self._bindings[1])
        raw = self._outputs["action"][:1]
        if not all_finite(raw) or not all(all_finite(new[:1]) for _, _, new in self._next):
            return self._results(1, np.zeros(1, np.bool_), np.ones(1, np.bool_))
        action = np.clip(raw, -1.0, 1.0, out=self._action[:1])
        memory.previous_action[slot] = action[0]
        for state, _, new in self._next:
            state[ACTIVE, slot] = new[0]
        if self._next:
            memory.age[slot] = age + 1
        warm = age + 1 >= self._horizon // 2
        return self._results(1, None, None if warm else np.zeros(1, np.bool_))

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
        action = np.clip(raw, -1.0, 1.0, out=self._action[:n])
        finite = self._finite_rows(n, standby)
        kept, rows = index, slice(0, n)
        whole = None if finite is None else whole_requests(finite, spans)
        if whole is not None:
            rows = np.flatnonzero(whole)
            kept = index[rows]
        memory.previous_action[kept] = action[rows]
        for state, _, new in self._next:
            state[ACTIVE, kept] = new[:n][rows]
        if standby is not None:
            good = slice(0, m) if whole is None else np.flatnonzero(whole[standby])
            for state, _, new in self._next:
                state[STANDBY, index[standby][good]] = new[n : n + m][good]
        memory.age[kept] += 1
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
        context = self._rows_of("context", n)
        distance = None
        if context is not None and self._distance is not None:
            distance = self._distance.of(context)
            if warm is not None:
                distance[~warm] = np.nan
        return StepResult(
            action=self._action[:n],
            context=context,
            context_distance=distance,
            estimate=self._rows_of("estimate", n),
            is_finite=finite,
        )

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
