"""The scan of an ONNX file: versions, and weights outside the file in every place."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from skill_runtime.policy.onnx_file.scan import (
    CutShortError,
    ExternalTensor,
    NotProtobufError,
    scan,
)

MODELS = Path(__file__).parents[4] / "models"


def outside(name: str, location: str = "weights.bin") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def model(*nodes: Any, **parts: Any) -> Any:  # noqa: ANN401  onnx has no types
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    graph = helper.make_graph(list(nodes), "g", [value], [value], **parts)
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])


@pytest.mark.parametrize("name", ["csf_panda", "goal_panda", "metra_panda", "saccm_panda"])
def test_the_shipped_files_are_whole_and_old_enough(name: str) -> None:
    found = scan((MODELS / f"{name}.onnx").read_bytes())
    assert found.has_graph
    assert found.external == []
    # docs/policy-file.md names the ONNX Runtime that reads these versions.
    assert found.ir_version == 9
    assert found.opsets == {"ai.onnx": 20}


def test_the_versions_of_every_operator_set_are_found() -> None:
    made = helper.make_model(
        model().graph,
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
    )
    found = scan(made.SerializeToString())
    assert found.ir_version == 8
    assert found.opsets == {"ai.onnx": 17, "ai.onnx.ml": 3}


def in_graph(tensor: TensorProto) -> Any:  # noqa: ANN401  onnx has no types
    return model(initializer=[tensor])


def in_constant(tensor: TensorProto) -> Any:  # noqa: ANN401  onnx
    return model(helper.make_node("Constant", [], ["c"], value=tensor))


def in_subgraph(tensor: TensorProto) -> Any:  # noqa: ANN401  onnx
    branch = in_constant(tensor).graph
    return model(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))


def in_a_list_of_tensors(tensor: TensorProto) -> Any:  # noqa: ANN401  onnx
    return model(helper.make_node("Any", [], ["c"], domain="own", tensors=[tensor]))


def in_a_sparse_initializer(tensor: TensorProto) -> Any:  # noqa: ANN401  onnx
    made = model()
    made.graph.sparse_initializer.add().values.CopyFrom(tensor)
    return made


def in_a_function(tensor: TensorProto) -> Any:  # noqa: ANN401  onnx
    made = model()
    function = made.functions.add()
    function.name, function.domain = "f", "own"
    function.node.append(helper.make_node("Constant", [], ["c"], value=tensor))
    return made


def in_a_training_graph(tensor: TensorProto) -> Any:  # noqa: ANN401  onnx
    made = model()
    made.training_info.add().initialization.initializer.append(tensor)
    return made


@pytest.mark.parametrize(
    "place",
    [
        in_graph,
        in_constant,
        in_subgraph,
        in_a_list_of_tensors,
        in_a_sparse_initializer,
        in_a_function,
        in_a_training_graph,
    ],
)
def test_weights_outside_are_found_everywhere(place: Any) -> None:  # noqa: ANN401  onnx
    found = scan(place(outside("w", "a.data")).SerializeToString())
    assert ExternalTensor(name="w", location="a.data") in found.external


def test_one_tensor_of_many_is_enough() -> None:
    inside = helper.make_tensor("b", TensorProto.FLOAT, [2], [1.0, 2.0])
    made = model(initializer=[inside, outside("w"), inside])
    assert [tensor.name for tensor in scan(made.SerializeToString()).external] == ["w"]


def test_a_tensor_inside_the_file_may_keep_an_old_location() -> None:
    tensor = outside("w")
    tensor.data_location = TensorProto.DEFAULT
    tensor.raw_data = bytes(8)
    assert scan(in_graph(tensor).SerializeToString()).external == []


def test_the_location_counts_as_readers_of_protobuf_see_it() -> None:
    """An enum has 32 bits on the wire; a field given twice counts in the safe direction."""
    tensor = TensorProto(name="w")
    located = tensor.SerializeToString() + bytes([14 << 3, 0x81, 0x80, 0x80, 0x80, 0x10])
    assert TensorProto.FromString(located).data_location == TensorProto.EXTERNAL
    twice = tensor.SerializeToString() + bytes([14 << 3, 1, 14 << 3, 0])
    for content in (located, twice):
        graph = b"\x2a" + bytes([len(content)]) + content
        found = scan(b"\x3a" + bytes([len(graph)]) + graph)
        assert [item.name for item in found.external] == ["w"]


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_short(share: float) -> None:
    content = (MODELS / "csf_panda.onnx").read_bytes()
    with pytest.raises(CutShortError, match=r"bytes too early|within a number"):
        scan(content[: int(share * len(content))])


def test_the_number_of_missing_bytes_is_exact() -> None:
    content = b"\x08\x0a\x12\x05hello"
    with pytest.raises(CutShortError, match="ends 2 bytes too early"):
        scan(content[:-2])


def test_messages_nested_without_end_are_refused() -> None:
    graph = b""
    for _ in range(200):  # node with an attribute with a graph with a node ...
        for tag in (6 << 3 | 2, 5 << 3 | 2, 1 << 3 | 2):
            size = len(graph)
            graph = bytes([tag, size & 0x7F | 0x80, size >> 7 | 0x80, 0]) + graph
    size = len(graph)
    with pytest.raises(NotProtobufError, match="deep"):
        scan(bytes([0x3A, size & 0x7F | 0x80, size >> 7 | 0x80, 0]) + graph)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_result_or_the_documented_error(content: bytes) -> None:
    with contextlib.suppress(NotProtobufError):
        scan(content)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_gives_a_result_or_the_documented_error(place: int, byte: int) -> None:
    content = bytearray(in_subgraph(outside("w")).SerializeToString())
    content[place % len(content)] = byte
    with contextlib.suppress(NotProtobufError):
        scan(bytes(content))


def test_the_scan_agrees_with_onnx_on_the_text_form() -> None:
    made = onnx.parser.parse_model(
        '<ir_version: 7, opset_import: ["" : 13, "own" : 2]> g (float[2] x) => (float[2] x) {}'
    )
    found = scan(made.SerializeToString())
    assert (found.ir_version, found.opsets) == (7, {"ai.onnx": 13, "own": 2})
