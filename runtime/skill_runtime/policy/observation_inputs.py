"""Makes the observation inputs of a graph from measured fields, previous action, goal and skill.

A graph of this project takes the measured fields themselves. One of another exporter may take
selected entries of them, scaled and shifted, several control steps at once, and goal or previous
action among them (``ObservationField``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from skill_proto.arrays import Flags, Float32Array, Ids
from skill_proto.manifest import GIVEN_FIELDS, HistoryLayout, ObservationField, PolicyManifest
from skill_runtime.policy.recurrent_state import Slots, Tensors

History = Mapping[str, tuple[Float32Array, Flags]]
"""By input of the graph: the newest steps ``(slots, depth, width)``, and whether a slot is new."""


class ObservationInputs:
    """The observation inputs of all slots, with the history that they need.

    Args:
        manifest: Declares the fields.
        slots: Number of streams that are kept apart.

    Attributes:
        is_plain: Whether the graph takes the measured observation itself.
    """

    def __init__(self, manifest: PolicyManifest, slots: int) -> None:
        self.is_plain = manifest.is_plain
        places: dict[str, slice] = {}
        start = 0
        for field in manifest.measured:
            places[field.name] = slice(start, start + field.size)
            start += field.size
        layout, all_fields = manifest.tensors.history, manifest.observation
        self._inputs = {
            name: _Input([f for f in all_fields if f.input == name], places, layout, slots)
            for name in dict.fromkeys(field.input for field in all_fields)
        }

    def reset(self, slots: Slots | int) -> None:
        """Forgets the history of these slots."""
        for each in self._inputs.values():
            each.is_new[slots] = True

    def assemble(self, slots: Slots, given: Mapping[str, Float32Array]) -> Tensors:
        """Returns the observation inputs of one control step, and remembers it.

        Args:
            slots: ``(n,)`` slots that step.
            given: ``observation`` ``(n, O)``, ``previous_action`` in the bounds of the graph, and
                ``goal`` and ``skill`` if the policy has them.
        """
        if self.is_plain:
            return {"observation": given["observation"]}
        return {name: each.next(slots, given) for name, each in self._inputs.items()}

    def save(self, slots: Slots) -> History:
        """Returns a copy of the history of ``slots``."""
        return {
            name: (each.steps[slots], each.is_new[slots]) for name, each in self._inputs.items()
        }

    def restore(self, slots: Slots, saved: History, rows: slice) -> None:
        """Sets ``slots`` back to the given rows of a copy."""
        for name, (steps, is_new) in saved.items():
            self._inputs[name].steps[slots] = steps[rows]
            self._inputs[name].is_new[slots] = is_new[rows]


class _Input:
    """One observation input of the graph."""

    def __init__(
        self,
        fields: Sequence[ObservationField],
        places: Mapping[str, slice],
        layout: HistoryLayout,
        slots: int,
    ) -> None:
        self._sources = [_source(field, places) for field in fields]
        self._offset = np.concatenate([_offset(field) for field in fields])
        self._scale = np.concatenate([_per_entry(field, field.scale) for field in fields])
        low, high = np.concatenate([_bounds(field) for field in fields], axis=1)
        self._clip = (low, high) if np.isfinite([low, high]).any() else None
        self._starts_at_zero = layout.start == "zero"
        self._order, depth = history_order(fields, layout)
        width = sum(field.width for field in fields)
        self.steps: Float32Array = np.zeros((slots, depth, width), np.float32)
        """The newest steps, the last one at the end."""
        self.is_new: Flags = np.ones(slots, np.bool_)

    def next(self, slots: Slots, given: Mapping[str, Float32Array]) -> Float32Array:
        """Returns the rows ``(n, ...)`` of this step."""
        n = len(slots)
        raw = np.concatenate(
            [
                np.zeros((n, len(entries)), np.float32)
                if name == "constant"
                else given[name][:, entries]
                for name, entries in self._sources
            ],
            axis=1,
        )
        value = ((raw - self._offset) * self._scale).astype(np.float32)
        if self._clip is not None:
            value = np.clip(value, *self._clip)
        if self.steps.shape[1] == 1:
            return value
        steps = np.concatenate([self.steps[slots, 1:], value[:, None]], axis=1)
        new = self.is_new[slots]
        if new.any():
            steps[new, :-1] = 0.0 if self._starts_at_zero else value[new, None]
            self.is_new[slots] = False
        self.steps[slots] = steps
        return steps.reshape(n, -1)[:, self._order]


def history_order(fields: Sequence[ObservationField], layout: HistoryLayout) -> tuple[Ids, int]:
    """Returns the order of the entries of an input in its steps, and the number of steps.

    The steps are ``(depth, width)``, the oldest first; the order is that of their entries, row by
    row, in the input of the graph.
    """
    depth, width = max(field.history for field in fields), sum(field.width for field in fields)
    table = np.arange(depth * width).reshape(depth, width)

    def steps(columns: slice, history: int) -> list[Ids]:
        chosen = table[depth - history :, columns]
        return list(chosen if layout.newest == "last" else chosen[::-1])

    if layout.grouped_by == "step":
        return np.concatenate(steps(slice(None), depth)), depth
    ordered: list[Ids] = []
    start = 0
    for field in fields:
        ordered += steps(slice(start, start + field.width), field.history)
        start += field.width
    return np.concatenate(ordered), depth


def _source(field: ObservationField, places: Mapping[str, slice]) -> tuple[str, list[int]]:
    """Returns the array that a field is read from, and its entries there."""
    entries = list(field.components) or list(range(field.size))
    if field.name in GIVEN_FIELDS:
        return field.name, entries
    start = places[field.name].start
    return "observation", [start + entry for entry in entries]


def _offset(field: ObservationField) -> Float32Array:
    """Returns the number that is subtracted: a constant is 0 - (-offset), times 1."""
    offset = _per_entry(field, field.offset)
    return -offset if field.name == "constant" else offset


def _per_entry(field: ObservationField, numbers: float | tuple[float, ...]) -> Float32Array:
    return np.broadcast_to(np.asarray(numbers, np.float32), (field.width,))


def _bounds(field: ObservationField) -> Float32Array:
    """Returns ``(2, width)``."""
    low, high = (-np.inf, np.inf) if field.clip is None else field.clip
    return np.array([[low] * field.width, [high] * field.width], np.float32)
