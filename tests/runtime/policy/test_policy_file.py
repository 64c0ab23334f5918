"""Every fault of a policy file gives one line with problem, expectation and fix."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper

from skill_runtime.policy import OnnxPolicy, PolicyFileError, load_manifest

PolicyFileFactory = Callable[..., Path]
NO_SKILL: dict[str, Any] = {"goal": None, "skill": {"kind": "none", "size": 0}}


def refusal(path: Path, **arguments: Any) -> str:  # noqa: ANN401  passed on to OnnxPolicy
    """Returns the error text for the file."""
    with pytest.raises(PolicyFileError) as caught:
        OnnxPolicy(path, **arguments)
    text = str(caught.value)
    assert str(path) in text
    assert "Expected: " in text
    assert "Fix: " in text
    assert "\n" not in text
    return text


def contents(path: Path) -> dict[str, Any]:
    """Returns the manifest of a valid file, for a test to change."""
    return json.loads(load_manifest(path).to_json())


def identity(observation: str = "float[batch,28]", action: str = "float[batch,3]") -> Any:  # noqa: ANN401  onnx has no types
    return onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["" : 20]>
        g ({observation} observation) => ({action} action)
        <int64[3] first = {{0, 1, 2}}>
        {{ action = Gather <axis = 1> (observation, first) }}"""
    )


def test_a_missing_file(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "nowhere.onnx")


def test_a_folder(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 1000, b"\xff" * 1000])
def test_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policy.onnx"
    path.write_bytes(content)
    assert "cannot be read as an ONNX model" in refusal(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(policy_file: Path, tmp_path: Path, share: float) -> None:
    whole = policy_file.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[: int(share * len(whole))])
    text = refusal(path)
    assert "cannot be read as an ONNX model" in text
    assert "cut short" in text


def test_no_manifest(tmp_path: Path, make_policy_file: PolicyFileFactory) -> None:
    path = make_policy_file(tmp_path, manifest="")
    text = refusal(path)
    assert "carries no manifest" in text
    assert "push.manifest.json" in text


def test_a_newer_manifest(
    policy_file: Path, tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    newer = json.dumps({**contents(policy_file), "schema_version": 2})
    text = refusal(make_policy_file(tmp_path, manifest=newer))
    assert "schema_version is 2" in text
    assert "upgrade skill-serve" in text


def test_a_manifest_with_missing_and_invalid_fields(
    policy_file: Path, tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    manifest = contents(policy_file)
    del manifest["plant"]
    manifest["control_rate_hz"] = -1
    text = refusal(make_policy_file(tmp_path, manifest=json.dumps(manifest)))
    assert "plant: Field required" in text
    assert "control_rate_hz" in text


def test_a_manifest_that_is_not_json(tmp_path: Path, make_policy_file: PolicyFileFactory) -> None:
    assert "not JSON" in refusal(make_policy_file(tmp_path, manifest="{"))


def test_load_manifest_refuses_the_same_way(tmp_path: Path) -> None:
    with pytest.raises(PolicyFileError, match="no such file"):
        load_manifest(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"skill": {"kind": "sphere", "size": 3}}, "input 'skill' is tensor(float) [batch, 2]"),
        ({"goal": None}, "does not explain input 'goal'"),
        (NO_SKILL, "does not explain input 'skill'"),
        ({"context": {"size": 2}}, "no output 'context'"),
        (
            {"recurrent": [{"name": "h", "shape": [4], "trained_horizon_steps": 1}]},
            "no output 'next_h'",
        ),
        ({"tensors": {"inputs": {"observation": "obs"}}}, "no input 'obs'"),
        ({"tensors": {"inputs": {"observatoin": "observation"}}}, "none of observation"),
        ({"tensors": {"batch_axis": 1}}, "the manifest makes it tensor(float) [28, batch]"),
        ({"tensors": {"batch_axis": 3}}, "contradict"),
    ],
)
def test_graph_and_manifest_contradict(
    tmp_path: Path, make_policy_file: PolicyFileFactory, changes: dict[str, Any], said: str
) -> None:
    text = refusal(make_policy_file(tmp_path, **changes))
    assert "contradict each other" in text
    assert said in text


def test_a_wrong_observation_size_names_both(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    path = make_policy_file(tmp_path, model=identity("float[batch,25]"), **NO_SKILL)
    text = refusal(path)
    assert "[batch, 25]" in text
    assert "[batch, 28]" in text


def test_all_contradictions_are_listed_at_once(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    text = refusal(make_policy_file(tmp_path, model=identity("float[batch,25]")))
    for fault in ("input 'observation'", "no input 'skill'", "no output 'skill_used'"):
        assert fault in text


def test_only_float32(tmp_path: Path, make_policy_file: PolicyFileFactory) -> None:
    model = identity("double[batch,28]", "double[batch,3]")
    assert "tensor(double)" in refusal(make_policy_file(tmp_path, model=model, **NO_SKILL))


def test_a_fixed_batch_above_one(tmp_path: Path, make_policy_file: PolicyFileFactory) -> None:
    model = identity("float[4,28]", "float[4,3]")
    assert "[4, 28]" in refusal(make_policy_file(tmp_path, model=model, **NO_SKILL))


def test_a_graph_whose_result_differs_from_its_declaration(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    # The declared output leaves its width open, so only a run shows that it is 2, not 3.
    graph = helper.make_graph(
        [helper.make_node("Gather", ["observation", "two"], ["action"], axis=1)],
        "g",
        [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["batch", 28])],
        [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["batch", "width"])],
        [helper.make_tensor("two", TensorProto.INT64, [2], [0, 1])],
    )
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    text = refusal(make_policy_file(tmp_path, model=model, **NO_SKILL))
    assert "fails on an input of zeros" in text or "contradict" in text


def test_a_manifest_in_the_file_has_precedence(
    tmp_path: Path, make_policy_file: PolicyFileFactory, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_policy_file(tmp_path)
    path.with_suffix(".manifest.json").write_text("{}")
    assert load_manifest(path).name == "push_by_hand"
    assert "is ignored" in caplog.text


def test_a_bad_manifest_beside_the_file_is_named(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    path = make_policy_file(tmp_path, manifest="{}", beside=True)
    text = refusal(path)
    assert "push.manifest.json" in text
    assert "schema_version is missing" in text


@pytest.mark.usefixtures("no_cuda")
def test_cuda_is_never_silently_replaced_by_the_cpu(
    policy_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = refusal(policy_file, device="cuda")
    assert "device 'cuda' was requested" in text
    assert "--device cpu" in text
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err == ""
