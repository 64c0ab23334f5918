"""The interface of a policy with slots."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from skill_proto.arrays import Flags, Float32Array, Ids
from skill_proto.manifest import PolicyManifest
from skill_runtime.policy.observation_inputs import History
from skill_runtime.policy.recurrent_state import Tensors
from skill_runtime.policy_service.inference.input_rows import InputRows

Spans = Callable[[], Iterable[slice]]


@dataclass(slots=True)
class StepResult:
    """The results of one inference, one row per slot; valid until the next one."""

    action: Float32Array
    """``(n, A)`` in [-1, 1]."""
    context: Float32Array | None
    """``(n, C)``; None if the policy has no encoder."""
    context_distance: Float32Array | None
    """``(n, 1)``; None if the manifest is not calibrated. NaN while the state is young."""
    estimate: Float32Array | None
    """``(n, E)``."""
    is_finite: Flags | None
    """``(n,)``: whether action and recurrent state are finite; None if all are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotMemory:
    """All that a policy remembers of its slots."""

    states: Tensors
    """``(2, slots, ...)`` by name: active and standby states."""
    age: Ids
    """``(slots,)`` steps that the active states have seen."""
    previous_action: Float32Array
    """``(slots, A)`` in the bounds of the graph."""
    history: History = field(default_factory=dict[str, tuple[Float32Array, Flags]])
    """Earlier observations by input of the graph; empty for a graph that needs none."""


class Stepper(Protocol):
    """A policy whose slots step together, each row of an inference another slot."""

    manifest: PolicyManifest
    path: Path
    sha256: str
    rows: InputRows
    """The inputs of the next inference."""
    mixes_commands: bool
    """Whether rows with a skill, with a goal and with a previous action can share an inference."""

    def step(self, slots: list[int], spans: Spans) -> StepResult:
        """Steps ``slots``, each named once, on the first rows of ``rows``.

        Args:
            slots: ``(n,)`` slots.
            spans: Returns the rows of each request. If one row of a request is not finite, no slot
                of that request changes.

        Raises:
            Exception: The graph failed, which may be any exception; no slot has changed.
        """
        ...

    def reset_slot(self, slot: int) -> None:
        """Starts a new episode in one slot."""
        ...

    def memory(self) -> SlotMemory:
        """Returns a copy of the memory of all slots."""
        ...

    def set_memory(self, memory: SlotMemory) -> None:
        """Takes over the memory of another policy with the same recurrent states."""
        ...


def all_finite(array: Float32Array) -> bool:
    """Returns whether every entry is finite."""
    flat = array.reshape(-1)
    # One pass without a temporary array; a NaN or an infinity reaches the sum of squares. A finite
    # sum of squares can overflow, so the second test decides.
    return math.isfinite(flat.dot(flat)) or bool(np.isfinite(array).all())


def whole_requests(finite: Flags, spans: Spans) -> Flags:
    """Returns the rows of the requests all of whose rows are finite."""
    kept = finite.copy()
    for rows in spans():
        kept[rows] = finite[rows].all()
    return kept
