"""Makes an ONNX file that older releases of ONNX Runtime open, from 1.18 on.

    python -m skill_training.export.compatibility FILE.onnx ...

does this to files that exist, in place. A file that needs no change is left alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPSETS = range(18, 22)
"""Operator sets that the exporter writes and ONNX Runtime 1.18 runs."""

DEFAULT_OPSET = 20
"""The dynamo exporter's default in torch 2.13, fixed here so that an upgrade does not change it."""

LEAST_RUNTIME = "1.18"
"""Oldest release of ONNX Runtime that runs a policy file of any of :data:`OPSETS`."""

_IR_VERSIONS = {18: 8, 19: 9, 20: 9, 21: 10}
"""Version of the file format of the release of ONNX that brought each operator set (ONNX,
docs/Versioning.md). Exporters write a newer one, which older runtimes refuse."""


def make_compatible(model: ModelProto) -> bool:
    """Changes a model in place; returns whether it changed.

    ONNX Runtime 1.18 and 1.19 lack ReduceL2 of operator set 18 in double precision, so that
    ``sqrt(sum(x * x))`` stands in its place.
    """
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        nodes += _without_norm(node) if node.op_type == "ReduceL2" else [node]
    changed = len(nodes) > len(model.graph.node)
    if changed:
        del model.graph.node[:]
        model.graph.node.extend(nodes)
    ir_version = _IR_VERSIONS.get(opset, model.ir_version)
    if model.ir_version > ir_version:
        model.ir_version, changed = ir_version, True
    return changed


def _without_norm(node: NodeProto) -> list[NodeProto]:
    from onnx import helper  # a training process does not load it before it exports

    name = node.output[0]
    square, total = f"{name}_square", f"{name}_sum"
    summed = helper.make_node("ReduceSum", [square, *node.input[1:]], [total], f"{node.name}_sum")
    summed.attribute.extend(node.attribute)  # keepdims and noop_with_empty_axes
    return [
        helper.make_node("Mul", [node.input[0], node.input[0]], [square], f"{node.name}_mul"),
        summed,
        helper.make_node("Sqrt", [total], [name], f"{node.name}_sqrt"),
    ]


def file_format(opset: int) -> str:
    """Returns the line of a card that says which runtimes open the file."""
    return (
        f"ONNX operator set {opset}, IR version {_IR_VERSIONS[opset]}; runs in ONNX Runtime "
        f"{LEAST_RUNTIME} and newer"
    )


def main(paths: list[str]) -> None:
    """Changes the files."""
    import onnx

    for path in paths:
        model = onnx.load(path)
        if make_compatible(model):
            Path(path).write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main(sys.argv[1:])
