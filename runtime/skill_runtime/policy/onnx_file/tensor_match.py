"""Checks inputs and outputs of a graph against the manifest, and converts at the graph's border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from skill_proto.arrays import Float32Array
from skill_proto.manifest import PolicyManifest

FLOATS: dict[str, type[np.floating]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
"""Types of tensors that are converted to single precision and back, by ONNX Runtime's name."""


class Node(Protocol):
    """An input or output of a graph: ``onnxruntime.NodeArg``, which has no types."""

    @property
    def name(self) -> str:
        """Name in the graph."""
        ...

    @property
    def shape(self) -> Sequence[int | str | None]:
        """Length of each axis; a name or None if the graph leaves it open."""
        ...

    @property
    def type(self) -> str:
        """Type of the entries, e.g. 'tensor(float)'."""
        ...


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output of the graph."""

    name: str
    """Name in the contract of policy files, e.g. 'observation'."""
    graph_name: str
    """Name in the graph."""
    row_shape: tuple[int, ...]
    """Shape without the batch axis."""
    shape_of_one: tuple[int, ...]
    """Shape that the graph takes for a batch of one."""
    batch_axis: int = 0
    """Axis of the batch in the graph."""
    dtype: type[np.floating] = np.float32
    """Type of the entries in the graph."""

    def to_graph(self, rows: Float32Array) -> NDArray[np.floating]:
        """Returns rows ``(n, *row_shape)`` as the graph takes them."""
        n = len(rows)
        if n == 1:
            shaped = rows.reshape(self.shape_of_one)
        else:
            shaped = rows.reshape((n, *self.row_shape))
            if self.batch_axis:
                shaped = np.ascontiguousarray(np.moveaxis(shaped, 0, self.batch_axis))
        return shaped if self.dtype is np.float32 else _cast(shaped, self.dtype)

    def from_graph(self, value: NDArray[np.floating], n: int) -> Float32Array:
        """Returns a tensor of the graph as rows ``(n, *row_shape)`` in single precision."""
        if n > 1 and self.batch_axis:
            value = np.moveaxis(value, self.batch_axis, 0)
        return _cast(value.reshape((n, *self.row_shape)), np.float32)


def _cast(array: NDArray[np.floating], dtype: type[np.floating]) -> NDArray[np.floating]:
    """Returns the numbers in another precision; one that is too large becomes infinite."""
    with np.errstate(over="ignore"):
        return array.astype(dtype, copy=False)


def _expected_inputs(manifest: PolicyManifest) -> dict[str, tuple[tuple[int, ...], bool]]:
    """Returns the row shape of each input, and whether the graph must have it."""
    expected: dict[str, tuple[tuple[int, ...], bool]] = {}
    for field in manifest.observation:
        (before,), _ = expected.get(field.input, ((0,), True))
        expected[field.input] = ((before + field.width * field.history,), True)
    observed = {field.name for field in manifest.observation}
    expected["previous_action"] = ((manifest.action_size,), False)
    if manifest.skill.size:
        expected["skill"] = ((manifest.skill.size,), "skill" not in observed)
    if manifest.goal is not None:
        expected["goal"] = ((manifest.goal_size,), "goal" not in observed)
        expected["use_goal"] = ((1,), manifest.skill.size > 0)
    for state in manifest.recurrent:
        expected[state.name] = (state.shape, True)
    return expected


def _expected_outputs(manifest: PolicyManifest) -> dict[str, tuple[tuple[int, ...], bool]]:
    """Returns the row shape of each output, and whether the graph must have it."""
    expected: dict[str, tuple[tuple[int, ...], bool]] = {"action": ((manifest.action_size,), True)}
    if manifest.skill.size:
        # A policy without goals always uses the given skill, so it need not return it.
        expected["skill_used"] = ((manifest.skill.size,), manifest.goal is not None)
    for state in manifest.recurrent:
        expected[f"next_{state.name}"] = (state.shape, True)
    if manifest.context is not None:
        expected["context"] = ((manifest.context.size,), True)
        if manifest.context.estimates:
            expected["estimate"] = ((len(manifest.context.estimates),), True)
    return expected


def match_tensors(
    kind: Literal["input", "output"],
    nodes: Sequence[Node],
    manifest: PolicyManifest,
    faults: list[str],
) -> tuple[Tensor, ...]:
    """Pairs the graph's tensors with the manifest's; mismatches are appended to ``faults``."""
    if kind == "input":
        expected, renamed = _expected_inputs(manifest), manifest.tensors.inputs
    else:
        expected, renamed = _expected_outputs(manifest), manifest.tensors.outputs
    by_name = {node.name: node for node in nodes}
    own_axis = {state.name: state.batch_axis for state in manifest.recurrent}
    faults.extend(
        f"tensors.{kind}s maps {name!r}, which is none of {', '.join(expected)}"
        for name in renamed
        if name not in expected
    )
    found: list[Tensor] = []
    for name, (row_shape, required) in expected.items():
        graph_name = renamed.get(name, name)
        node = by_name.pop(graph_name, None)
        if node is None:
            if required or name in renamed:
                present = ", ".join(item.name for item in nodes)
                faults.append(f"the graph has no {kind} {graph_name!r} (it has {present})")
            continue
        axis = own_axis.get(name.removeprefix("next_"))
        axis = manifest.tensors.batch_axis if axis is None else axis
        shape_of_one = _shape_of_one(node.shape, row_shape, axis)
        if shape_of_one is None or node.type not in FLOATS:
            faults.append(
                f"{kind} {node.name!r} is {node.type} {_format_shape(node.shape)}, the manifest "
                f"makes it a tensor of floats {_format_shape(_full_shape(row_shape, axis))}"
            )
            continue
        found.append(
            Tensor(
                name=name,
                graph_name=node.name,
                row_shape=row_shape,
                shape_of_one=shape_of_one,
                batch_axis=axis or 0,
                dtype=FLOATS[node.type],
            )
        )
    if kind == "input":
        faults.extend(f"the manifest does not explain input {name!r}" for name in by_name)
    return tuple(found)


def _full_shape(row_shape: tuple[int, ...], batch_axis: int | None) -> tuple[int | str, ...]:
    if batch_axis is None:
        return row_shape
    return (*row_shape[:batch_axis], "batch", *row_shape[batch_axis:])


def _shape_of_one(
    shape: Sequence[int | str | None], row_shape: tuple[int, ...], batch_axis: int | None
) -> tuple[int, ...] | None:
    """Returns the graph's shape for a batch of one, or None if it does not fit the manifest.

    Without a batch axis only the number of entries counts: exporters add axes of length 1 (layers,
    time, a fixed batch) that the manifest need not repeat.
    """
    if batch_axis is None:
        one = tuple(1 if is_dynamic(size) else int(size or 1) for size in shape)
        return one if prod(one) == prod(row_shape) else None
    full = _full_shape(row_shape, batch_axis)
    if len(shape) != len(full) or batch_axis >= len(full):
        return None
    fits = all(
        is_dynamic(given) or given == (1 if wanted == "batch" else wanted)
        for given, wanted in zip(shape, full, strict=True)
    )
    return tuple(1 if size == "batch" else int(size) for size in full) if fits else None


def is_dynamic(size: int | str | None) -> bool:
    """Returns whether an entry of a graph's shape is left open."""
    return not isinstance(size, int)


def _format_shape(shape: Sequence[int | str | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
