"""The draft of a manifest for a foreign graph: refused as drafted, right once it is filled in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from skill_robots.franka.specs import PANDA
from skill_robots.observation import PUSH_OBSERVATION, manifest_fields
from skill_runtime.policy import OnnxPolicy, PolicyFileError
from skill_runtime.policy.foreign.draft import Draft, draft_manifest
from skill_runtime.policy.foreign.explain import find_problems, meaning, remarks

GRAPHS = {
    "plain": """<ir_version: 6, opset_import: ["" : 11]>
        g (float[batch,28] obs) => (float[batch,3] actions)
        <int64[3] first = {0, 1, 2}>
        { actions = Gather <axis = 1> (obs, first) }""",
    "recurrent": """<ir_version: 10, opset_import: ["" : 20]>
        g (float[1,1,4] h_in, float[1,28] obs) => (float[1,1,4] h_out, float[1,3] actions)
        <int64[3] first = {0, 1, 2}>
        { h_out = Identity (h_in)
          actions = Gather <axis = 1> (obs, first) }""",
}
LAB = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,33] obs) => (float[1,8] actions)
    <int64[8] first = {0, 1, 2, 3, 4, 5, 6, 7}>
    { actions = Gather <axis = 1> (obs, first) }"""
DEFAULT = [0.0, -0.569, 0.0, -2.81, 0.0, 3.037, 0.741, 0.04, 0.04]
METADATA = {
    "joint_names": ",".join([f"panda_joint{k}" for k in range(1, 8)] + ["finger1", "finger2"]),
    "default_joint_pos": ",".join(f"{q:.3f}" for q in DEFAULT),
    "joint_stiffness": ",".join(["400.000"] * 9),
    "joint_damping": ",".join(["80.000"] * 9),
    "action_scale": "0.500",
    "observation_names": "joint_pos,joint_vel,pose_command,actions",
    "command_names": "pose_command",
}
"""As mjlab's ``attach_metadata_to_onnx`` writes it, for Isaac Lab's Franka with two fingers."""


def write(folder: Path, text: str, metadata: dict[str, str] | None = None) -> Path:
    path = folder / "walk.onnx"
    model = onnx.parser.parse_model(text)
    for key, value in (metadata or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)
    return path


def save(path: Path, manifest: dict[str, Any]) -> None:
    path.with_suffix(".manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", GRAPHS)
def test_a_draft_runs_once_it_is_filled_in(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, GRAPHS[name])
    manifest = draft_manifest(path, like="panda").manifest
    save(path, manifest)
    with pytest.raises(PolicyFileError, match=r"control_rate_hz.*scale"):
        OnnxPolicy(path)
    manifest["control_rate_hz"] = 25.0
    manifest["observation"] = [
        field.model_dump(include={"name", "size", "unit", "frame"})
        for field in manifest_fields(PUSH_OBSERVATION)
    ]
    manifest["action"][0]["scale"] = 0.04
    for state in manifest.get("recurrent", ()):
        state["trained_horizon_steps"] = 24
    save(path, manifest)
    policy = OnnxPolicy(path)
    row = np.linspace(0.0, 1.0, 28)
    assert policy.step(row).action[0] == pytest.approx(row[:3])
    assert len(policy.manifest.recurrent) == (1 if name == "recurrent" else 0)
    problems, whole = find_problems(path, PANDA)
    assert problems == []
    assert whole is not None
    assert remarks(whole, PANDA) == []


def test_every_open_value_is_named_with_its_fix(tmp_path: Path) -> None:
    path = write(tmp_path, GRAPHS["recurrent"])
    save(path, draft_manifest(path).manifest)
    problems, whole = find_problems(path, PANDA)
    assert whole is None
    said = "\n".join(problems)
    for place in (
        "control_rate_hz is not filled in; fix: give 1 / (physics step",
        "observation.0.name is not filled in; fix: give one of joint_position",
        "action.0.scale is not filled in; fix: give the physical value",
        "recurrent.0.trained_horizon_steps is not filled in; fix: give the number",
        "plant.robot is not filled in; fix: give the value of training",
    ):
        assert place in said
    assert all("; fix: " in problem for problem in problems)


def drafted_lab(folder: Path, **changes: str) -> Draft:
    return draft_manifest(write(folder, LAB, METADATA | changes), like="panda")


def test_metadata_of_an_export_becomes_fields_and_scales(tmp_path: Path) -> None:
    draft = drafted_lab(tmp_path)
    manifest = draft.manifest
    fields = [(field["name"], field["size"]) for field in manifest["observation"]]
    assert fields == [
        ("joint_position", 7), ("finger_position", 2), ("joint_velocity", 7), ("constant", 2),
        ("goal", 7), ("previous_action", 8),
    ]  # fmt: skip
    assert manifest["observation"][0]["offset"] == DEFAULT[:7]
    assert manifest["observation"][1]["offset"] == DEFAULT[7:]
    joints, gripper = manifest["action"]
    assert (joints["name"], joints["offset"]) == ("joint_position", DEFAULT[:7])
    bound = manifest["tensors"]["action_high"]
    assert manifest["tensors"]["action_low"] == -bound
    assert joints["scale"] == [0.5 * bound] * 7
    assert 0.5 * bound >= (PANDA.position_high - np.array(DEFAULT[:7])).max()
    assert (gripper["name"], gripper["scale"]) == ("grasp", None)
    assert manifest["plant"]["joint_stiffness"] == [400.0] * 7
    assert any("confirm the fields" in line for line in draft.to_do)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("default_joint_pos", "__import__('os').system('touch pwned')"),
        ("default_joint_pos", "0.0,nan,inf"),
        ("observation_names", "eval(open('x')),joint_vel,a,b"),
        ("joint_names", "(lambda: 1)()"),
        ("action_scale", "1e999"),
    ],
)
def test_metadata_is_never_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    drafted_lab(tmp_path, **{key: value})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["walk.onnx"]


def test_a_whole_manifest_is_explained_in_physical_units(tmp_path: Path) -> None:
    path = write(tmp_path, LAB, METADATA)
    manifest = drafted_lab(tmp_path).manifest
    manifest["control_rate_hz"] = 30.0
    manifest["observation"][4] |= {"unit": "m", "frame": "world", "size": 3}
    manifest["observation"].insert(
        5, {"name": "constant", "size": 4, "unit": "1", "frame": "none", "offset": [0, 1, 0, 0]}
    )
    manifest["action"][1]["scale"] = 0.08
    manifest["goal"] |= {
        "field": "end_effector_position", "components": [0, 1, 2], "unit": "m", "frame": "world",
        "stop_radius": 0.05, "low": [-0.1, -0.1, 0.1], "high": [0.1, 0.1, 0.2],
    }  # fmt: skip
    save(path, manifest)
    problems, whole = find_problems(path, PANDA)
    assert problems == []
    assert whole is not None
    lines = meaning(whole)
    assert lines[0].startswith("observation[0:7] = (joint_position - (0, -0.569, 0,")
    assert "observation[21:25] = constant (0.0, 1.0, 0.0, 0.0)" in lines
    assert "action[7:8] -> grasp below 0, open to 0.08 m from 0 on" in lines
    assert "serve it with --servo-rate 210" in remarks(whole, PANDA)


def test_several_inputs_stay_apart(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """<ir_version: 8, opset_import: ["" : 17]>
        g (float[1,6] observation, float[1,3] desired_goal, float[1,3] achieved_goal)
          => (float[1,3] 17, float[1,1] value)
        { 17 = Sub (desired_goal, achieved_goal)
          value = ReduceSum (observation) }""".replace("17,", "a17,").replace("17 =", "a17 ="),
    )
    draft = draft_manifest(path)
    fields = draft.manifest["observation"]
    assert [(field["name"], field["size"], field["input"]) for field in fields[1:]] == [
        ("goal", 3, "desired_goal"),
        (None, 3, "achieved_goal"),
    ]
    assert draft.manifest["tensors"]["outputs"] == {"action": "a17"}
    assert "outputs that nobody reads: value" in draft.to_do


def test_a_file_that_is_not_onnx_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "walk.onnx"
    path.write_text("hello")
    with pytest.raises(PolicyFileError, match="not an ONNX model but a text"):
        draft_manifest(path)
