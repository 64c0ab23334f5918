"""Refusals of ONNX Runtime: the number or operator, this version's limit, and the fix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.scan import scan
from skill_runtime.policy.onnx_file.session import open_session, reason_of

HERE = f"ONNX Runtime {ort.__version__}"


def model(
    operator: str = "Identity",
    domain: str = "",
    *,
    ir: int = 10,
    opsets: Mapping[str, int] | None = None,
) -> Any:  # noqa: ANN401  onnx has no types
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "y")
    ]
    node = helper.make_node(operator, ["x"], ["y"], domain=domain)
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    imports = [
        helper.make_opsetid(name, version)
        for name, version in ({"": 20} | dict(opsets or {})).items()
    ]
    return helper.make_model(graph, ir_version=ir, opset_imports=imports)


def refusal(made: Any) -> str:  # noqa: ANN401  onnx has no types
    content = made.SerializeToString()
    with pytest.raises(PolicyFileError) as caught:
        open_session(Path("p.onnx"), content, scan(content), "cpu")
    text = str(caught.value)
    assert "\n" not in text
    assert "onnxruntime_src" not in text
    return text


def test_a_model_is_opened_from_its_bytes() -> None:
    content = model().SerializeToString()
    session = open_session(Path("p.onnx"), content, scan(content), "cpu")
    assert [node.name for node in session.get_inputs()] == ["x"]


def test_a_newer_file_format_is_named_by_its_number() -> None:
    text = refusal(model(ir=99))
    limit = re.search(r"IR version .* is 99, and (.*) reads up to (\d+)\.", text)
    assert limit is not None, text
    assert limit[1] == HERE
    assert 10 <= int(limit[2]) < 99
    assert "upgrade ONNX Runtime, or export" in text


@pytest.mark.parametrize(("name", "domain"), [("", "ai.onnx"), ("ai.onnx.ml", "ai.onnx.ml")])
def test_a_newer_operator_set_is_named_by_its_number(name: str, domain: str) -> None:
    text = refusal(model(opsets={name: 99}))
    limit = re.search(r"operator set (\S+) has version 99, and (.*) reads up to (\d+)\.", text)
    assert limit is not None, text
    assert (limit[1], limit[2]) == (domain, HERE)
    assert f"opset_version={limit[3]}" in text


@pytest.mark.parametrize(
    ("made", "operator"),
    [
        (model("Frobnicate"), "'Frobnicate' in operator set 20"),
        (
            model("Frobnicate", "my.own", opsets={"my.own": 1}),
            "'Frobnicate' of the domain 'my.own'",
        ),
        (model("Frobnicate", "my.own"), "of the domain 'my.own', which it does not import"),
    ],
)
def test_an_unknown_operator_is_named(made: Any, operator: str) -> None:  # noqa: ANN401  onnx
    text = refusal(made)
    assert f"{HERE} has no operator {operator}" in text


def test_a_long_reason_loses_its_beginning_not_its_end() -> None:
    reason = reason_of(RuntimeError("[ONNXRuntimeError] : 1 : FAIL : " + 900 * "word " + "cause."))
    assert reason.startswith("... ")
    assert reason.endswith("word cause")
    assert len(reason) <= 304
    assert reason_of(RuntimeError("")) == "RuntimeError"
    assert (
        reason_of(
            RuntimeError(
                "[ONNXRuntimeError] : 1 : FAIL : /src/a.cc:2 f(const T&, int) The cause.\n"
            )
        )
        == "The cause"
    )
