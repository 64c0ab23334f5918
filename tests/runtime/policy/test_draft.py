"""The draft of a manifest for a foreign graph: refused as it is, right once it is filled in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from skill_robots.franka.specs import PANDA
from skill_robots.observation import PUSH_OBSERVATION, manifest_fields
from skill_runtime.policy import OnnxPolicy, PolicyFileError
from skill_runtime.policy.draft import draft_manifest
from skill_runtime.policy.plant_remarks import plant_remarks

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


def write(folder: Path, name: str) -> Path:
    path = folder / "walk.onnx"
    onnx.save(onnx.parser.parse_model(GRAPHS[name]), path)
    return path


def draft_of(path: Path) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, "-m", "skill_runtime.policy.draft", path],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "fill in" in result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_draft_runs_once_it_is_filled_in(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name)
    manifest = draft_of(path)
    beside = path.with_suffix(".manifest.json")
    beside.write_text(json.dumps(manifest))
    with pytest.raises(PolicyFileError, match=r"control_rate_hz.*scale"):
        OnnxPolicy(path)
    manifest["control_rate_hz"] = 25.0
    manifest["observation"] = [field.model_dump() for field in manifest_fields(PUSH_OBSERVATION)]
    manifest["action"][0]["scale"] = 0.04
    for state in manifest["recurrent"]:
        state["trained_horizon_steps"] = 24
    beside.write_text(json.dumps(manifest))
    policy = OnnxPolicy(path)
    row = np.linspace(0.0, 1.0, 28)
    assert policy.step(row).action[0] == pytest.approx(row[:3])
    assert len(policy.manifest.recurrent) == (1 if name == "recurrent" else 0)
    assert plant_remarks(policy.manifest, PANDA, 0.005) == []


def test_a_file_that_is_not_onnx_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "walk.onnx"
    path.write_text("hello")
    with pytest.raises(PolicyFileError, match="not an ONNX model but a text"):
        draft_manifest(path)
    for arguments in ([path], [], ["--unknown"]):
        result = subprocess.run(
            [sys.executable, "-m", "skill_runtime.policy.draft", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert result.returncode == 2
        assert "Traceback" not in result.stderr
