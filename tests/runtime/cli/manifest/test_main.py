"""skill-manifest: writes a draft beside a file, keeps one that exists, says what is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnx
import onnx.parser
import pytest

from skill_runtime.cli.manifest.subcommands import Check, DraftCommand
from skill_runtime.console.exit_codes import FAILED, OK, USAGE
from skill_runtime.console.flags import UsageError

GRAPH = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[1,6] input) => (float[1,3] mu, float[1,3] value)
    <int64[3] first = {0, 1, 2}>
    { mu = Gather <axis = 1> (input, first)
      value = Identity (mu) }"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "walk.onnx"
    onnx.save(onnx.parser.parse_model(GRAPH), path)
    return path


def fill_in(path: Path) -> None:
    """Fills in a draft as a person would."""
    manifest = json.loads(path.read_text())
    manifest["control_rate_hz"] = 25.0
    manifest["observation"] = [
        {"name": "end_effector_position", "size": 3, "unit": "m", "frame": "world"},
        {"name": "end_effector_velocity", "size": 3, "unit": "m/s", "frame": "world"},
    ]
    manifest["action"][0]["scale"] = 0.05
    path.write_text(json.dumps(manifest))


def test_a_draft_is_written_filled_in_and_checked(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = model.with_suffix(".manifest.json")
    assert DraftCommand(model=model, like="panda").run() == OK
    assert "  - control_rate_hz: the rate" in capsys.readouterr().out
    assert Check(model=model).run() == FAILED
    assert "problem:" in capsys.readouterr().out
    with pytest.raises(UsageError, match="add --force"):
        DraftCommand(model=model).run()
    fill_in(beside)
    assert Check(model=model).run() == OK
    said = capsys.readouterr().out
    assert "observation[3:6] = end_effector_velocity [m/s, world]" in said
    assert "action[0:3] -> end_effector_displacement, +- 0.05 m" in said
    assert "can be served" in said


def test_a_link_finds_the_manifest_beside_its_target(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DraftCommand(model=model, like="panda").run()
    fill_in(model.with_suffix(".manifest.json"))
    link = model.parent / "links" / "current.onnx"
    link.parent.mkdir()
    link.symlink_to("../walk.onnx")
    assert Check(model=link).run() == OK
    assert "can be served" in capsys.readouterr().out


def test_a_wrong_file_is_refused_without_a_traceback(tmp_path: Path) -> None:
    wrong = tmp_path / "policy.onnx"
    wrong.write_text("version https://git-lfs.github.com/spec/v1\n")
    program = "from skill_runtime.cli.entry import manifest; manifest()"
    result = subprocess.run(
        [sys.executable, "-c", program, "draft", str(wrong)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == USAGE
    assert "git lfs pull" in result.stderr
    assert "Traceback" not in result.stderr
