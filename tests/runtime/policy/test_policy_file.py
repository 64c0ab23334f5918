"""Every fault of a policy file gives one line with problem, expectation and fix."""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper

from skill_proto.manifest import ActionPart
from skill_runtime.policy import OnnxPolicy, PolicyFileError, load_manifest
from skill_runtime.policy.onnx_file import model_bytes

PolicyFileFactory = Callable[..., Path]
MODELS = Path(__file__).parents[3] / "models"
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
    assert "is a folder. " in refusal(tmp_path)
    (tmp_path / "policy.onnx").touch()
    assert "is a folder, which contains policy.onnx. " in refusal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "policy.onnx"
    os.mkfifo(pipe)
    assert "is not a regular file" in refusal(pipe)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_path_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyFileError, match=r"cannot be read|is not a valid path"):
        OnnxPolicy(tmp_path / name)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file"
)
def test_a_file_without_permission(policy_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    path.write_bytes(policy_file.read_bytes())
    path.chmod(0)
    assert "cannot be read: Permission denied" in refusal(path)


def test_a_file_larger_than_protobuf_reads(tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # sparse: it takes no space
    assert "has 2147483648 bytes" in refusal(path)


@pytest.mark.parametrize(
    ("target", "fix"),
    [
        ("nowhere.onnx", "restore the target"),
        (".git/annex/objects/F3/SHA256E-s1--0.onnx", "git annex get policy.onnx"),
        ("policy.onnx", "restore the target"),
    ],
)
def test_a_link_to_nothing(tmp_path: Path, target: str, fix: str) -> None:
    path = tmp_path / "policy.onnx"
    path.symlink_to(target)
    text = refusal(path)
    assert target == "policy.onnx" or f"is a link to {target}, which does not exist" in text
    assert target == "policy.onnx" or fix in text


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not an ONNX model but an empty file"),
        (b"hello", "not an ONNX model but a text, 'hello'"),
        (bytes(1000), "not an ONNX model but 1000 bytes of zeros"),
        (b"\xff" * 1000, "cannot be read as an ONNX model"),
        (LFS, "not an ONNX model but a Git LFS pointer"),
        (b"\x08\x01\x12\x02ok", "cannot be read as an ONNX model: it has no graph"),
    ],
)
def test_not_onnx(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "policy.onnx"
    path.write_bytes(content)
    assert said in refusal(path)
    with pytest.raises(PolicyFileError, match=re.escape(said)):
        load_manifest(path)


def test_a_checkpoint_beside_the_exported_policy(policy_file: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.write_bytes(pickle.dumps({"w": 1}))
    assert "Fix: export the network" in refusal(checkpoint)
    exported = tmp_path / "policy.onnx"
    exported.write_bytes(policy_file.read_bytes())
    assert f"Fix: give {exported}, or: export the network" in refusal(checkpoint)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated(policy_file: Path, tmp_path: Path, share: float) -> None:
    whole = policy_file.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[: int(share * len(whole))])
    text = refusal(path)
    assert "cannot be read as an ONNX model" in text
    assert "cut short" in text


def test_a_file_cut_between_two_parts(policy_file: Path, tmp_path: Path) -> None:
    whole = onnx.load(policy_file)
    del whole.opset_import[:], whole.metadata_props[:]
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole.SerializeToString())
    assert "names no operator set, so it was cut short" in refusal(path)


def test_names_in_the_file_cannot_control_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "policy.onnx"
    graph = identity()
    graph.graph.node[0].op_type = "Bell\x1b[2J\x07"
    onnx.save(graph, path)
    text = refusal(path)
    assert "\x1b" not in text
    assert "\\x1b" in text


# Weights outside the file ------------------------------------------------------------------------


def save_split(source: Path, folder: Path) -> Path:
    """Writes the shipped file with its weights in ``p.data``, and returns its path."""
    folder.mkdir()
    path = folder / "p.onnx"
    onnx.save(onnx.load(source), path, save_as_external_data=True, location="p.data")
    return path


def test_weights_outside_the_file_are_refused_before_they_are_read(tmp_path: Path) -> None:
    mine = save_split(MODELS / "csf_panda.onnx", tmp_path / "a")
    other = save_split(MODELS / "metra_panda.onnx", tmp_path / "b")
    assert (tmp_path / "a" / "p.data").is_file()
    text = refusal(mine)
    assert "and of 4 more are not in the file but in 'p.data'" in text
    assert "external_data=False" in text
    (tmp_path / "a" / "p.data").write_bytes((other.parent / "p.data").read_bytes())
    assert refusal(mine) == text
    with pytest.raises(PolicyFileError, match="not in the file"):
        load_manifest(mine)
    # The fix in the error is right.
    onnx.save(onnx.load(mine), tmp_path / "whole.onnx")
    OnnxPolicy(tmp_path / "whole.onnx")


def test_the_file_is_read_once(
    policy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is replaced after the check is not the file that runs."""
    path = tmp_path / "policy.onnx"
    path.write_bytes(policy_file.read_bytes())
    real = model_bytes.scan

    def replace_then_scan(content: bytes) -> model_bytes.OnnxScan:
        path.write_bytes(b"replaced")
        return real(content)

    monkeypatch.setattr(model_bytes, "scan", replace_then_scan)
    assert load_manifest(path).name == "push_by_hand"


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


def test_an_action_part_of_a_later_release(
    policy_file: Path, tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    """The version is the same: the unknown name is given, and those that are known."""
    manifest = contents(policy_file)
    manifest["action"][0]["name"] = "wrist_turn"
    text = refusal(make_policy_file(tmp_path, manifest=json.dumps(manifest)))
    assert "action.0.name: " in text
    assert "got 'wrist_turn'" in text
    known = get_args(ActionPart.model_fields["name"].annotation)
    assert "gripper_width" in known
    assert all(f"'{name}'" in text for name in known)


def test_a_manifest_with_missing_and_invalid_fields(
    policy_file: Path, tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    manifest = contents(policy_file)
    del manifest["plant"]
    manifest["control_rate_hz"] = -1
    text = refusal(make_policy_file(tmp_path, manifest=json.dumps(manifest)))
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
        ({"tensors": {"batch_axis": 1}}, "the manifest makes it a tensor of floats [28, batch]"),
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


def test_integers_are_no_observation(tmp_path: Path, make_policy_file: PolicyFileFactory) -> None:
    model = identity("int32[batch,28]", "int32[batch,3]")
    text = refusal(make_policy_file(tmp_path, model=model, **NO_SKILL))
    assert "input 'observation' is tensor(int32)" in text
    assert "makes it a tensor of floats" in text


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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LFS.decode(), "push.manifest.json is not a manifest but a Git LFS pointer"),
        ("<html></html>", "push.manifest.json is not a manifest but a web page"),
        ("\x01", "the manifest is not JSON"),
        ("{" + " " * 2**24, f"push.manifest.json, has {2**24 + 1} bytes"),
    ],
)
def test_a_file_beside_it_that_is_no_manifest(
    tmp_path: Path, make_policy_file: PolicyFileFactory, content: str, said: str
) -> None:
    assert said in refusal(make_policy_file(tmp_path, manifest=content, beside=True))


def test_a_manifest_with_a_byte_order_mark_is_read(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    path = make_policy_file(tmp_path, beside=True)
    manifest = path.with_suffix(".manifest.json")
    manifest.write_text(manifest.read_text(), encoding="utf-8-sig")
    assert load_manifest(path).name


@pytest.mark.parametrize("beside", ["link", "target"])
def test_the_manifest_of_a_link_is_beside_the_link_or_its_target(
    tmp_path: Path, make_policy_file: PolicyFileFactory, beside: str
) -> None:
    deep = tmp_path / "deep"
    deep.mkdir()
    path = make_policy_file(deep, filename="walk.onnx", beside=True)
    if beside == "link":
        path.with_suffix(".manifest.json").rename(tmp_path / "current.manifest.json")
    (tmp_path / "latest.onnx").symlink_to(Path("deep") / "walk.onnx")
    (tmp_path / "current.onnx").symlink_to("latest.onnx")
    assert load_manifest(tmp_path / "current.onnx").name == "push_by_hand"


def test_the_manifest_beside_the_link_has_precedence(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    path = make_policy_file(tmp_path, filename="walk.onnx", beside=True)
    link = tmp_path / "current.onnx"
    link.symlink_to("walk.onnx")
    mine = contents(path) | {"name": "my_name"}
    link.with_suffix(".manifest.json").write_text(json.dumps(mine))
    assert load_manifest(link).name == "my_name"
    assert load_manifest(path).name == "push_by_hand"


def test_a_link_without_a_manifest_names_every_place(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    path = make_policy_file(tmp_path, filename="walk.onnx", manifest="")
    link = tmp_path / "current.onnx"
    link.symlink_to(path)
    text = refusal(link)
    assert "current.manifest.json or " in text
    assert "walk.manifest.json" in text


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_workspace_with_its_corners_exchanged(
    tmp_path: Path, make_policy_file: PolicyFileFactory, policy_file: Path, axis: int
) -> None:
    manifest = contents(policy_file)
    plant = manifest["plant"]
    plant["workspace_low_m"][axis] = plant["workspace_high_m"][axis]
    text = refusal(make_policy_file(tmp_path, manifest=json.dumps(manifest)))
    assert "is not below workspace_high_m" in text


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
