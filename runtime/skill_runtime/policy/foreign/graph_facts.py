"""The role of each tensor of a graph: observation, action or recurrent state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from skill_runtime.policy.onnx_file.tensor_match import Node, is_dynamic

COMMANDS = ("previous_action", "skill", "goal", "use_goal")
"""Inputs of a policy file that are neither an observation nor a state."""


@dataclass(frozen=True, kw_only=True)
class State:
    """A recurrent state: the name in the manifest, the input, and the output of the next step."""

    name: str
    source: Node
    result: Node
    shape: tuple[int, ...]
    """Without the batch axis."""
    batch_axis: int | None
    """Axis with an open length; None if the state is of one row."""


@dataclass(frozen=True, kw_only=True)
class GraphFacts:
    """The tensors of a graph by their role."""

    observations: tuple[Node, ...]
    action: Node
    states: tuple[State, ...]
    unread: tuple[str, ...]
    """Outputs that the runtime will not read."""

    @property
    def has_rows(self) -> bool:
        """Whether observation and action are rows of a batch."""
        return all(len(node.shape) == 2 for node in (*self.observations, self.action))


def find_facts(session: Any) -> GraphFacts | None:  # noqa: ANN401  onnxruntime has no types
    """Returns the tensors by role; None for a graph without inputs or outputs.

    The action is the first output with "act" in its name, or else the first one. An input is a
    state if an output of the same shape is left for it.
    """
    inputs: list[Node] = list(session.get_inputs())
    outputs: list[Node] = list(session.get_outputs())
    if not inputs or not outputs:
        return None
    action = next((node for node in outputs if "act" in node.name.lower()), outputs[0])
    left = [node for node in outputs if node is not action]
    states: list[State] = []
    observations: list[Node] = []
    for node in inputs:
        result = _result_of(node, left) if _may_be_state(node, inputs) else None
        if result is not None:
            left.remove(result)
            states.append(_state(node, result))
        elif node.name not in COMMANDS:
            observations.append(node)
    return GraphFacts(
        observations=tuple(observations),
        action=action,
        states=tuple(states),
        unread=tuple(node.name for node in left),
    )


def entries(node: Node) -> int:
    """Returns the number of entries of a tensor for a batch of one."""
    return prod(size if isinstance(size, int) else 1 for size in node.shape)


def _may_be_state(node: Node, inputs: Sequence[Node]) -> bool:
    """Returns whether an input may be a state: an observation must be left."""
    return len(inputs) > 1 and "obs" not in node.name.lower() and node.name not in COMMANDS


def _result_of(node: Node, outputs: Sequence[Node]) -> Node | None:
    """Returns the output for the next step of a state: by its name, or else by its shape."""
    same = [new for new in outputs if _fixed(new) == _fixed(node)]
    stem = _stem(node.name)
    return next((new for new in same if _stem(new.name) == stem), same[0] if same else None)


def _fixed(node: Node) -> list[int | None]:
    """Returns the shape with open lengths as None: exporters name them differently."""
    return [None if is_dynamic(size) else int(size or 0) for size in node.shape]


def _stem(name: str) -> str:
    """Returns the name of a state without the marks of input and output."""
    lowered = name.lower()
    for mark in ("next_", "_next", "_in", "_out", "in_", "out_", "_new", "new_"):
        lowered = lowered.removeprefix(mark).removesuffix(mark)
    return lowered


def _state(node: Node, result: Node) -> State:
    open_axes = [axis for axis, size in enumerate(node.shape) if is_dynamic(size)]
    axis = open_axes[0] if len(open_axes) == 1 else None
    shape = tuple(
        int(size) if isinstance(size, int) else 1 for k, size in enumerate(node.shape) if k != axis
    )
    return State(name=node.name, source=node, result=result, shape=shape, batch_axis=axis)
