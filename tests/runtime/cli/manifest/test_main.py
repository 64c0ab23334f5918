"""skill-manifest: writes a draft beside a file, keeps one that exists, says what is left."""

from __future__ import annotations

import json
import shutil
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


def run(*words: str) -> subprocess.CompletedProcess[str]:
    program = "from skill_runtime.cli.entry import manifest; manifest()"
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


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
    result = run("draft", str(wrong))
    assert result.returncode == USAGE
    assert "git lfs pull" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_draft_replaces_no_policy_file(model: Path) -> None:
    whole, link = model.read_bytes(), model.with_name("link.json")
    link.symlink_to(model)
    for place in (model, link, model.parent / ".." / model.parent.name / model.name):
        with pytest.raises(UsageError, match="is the file of MODEL; name another file"):
            DraftCommand(model=model, output=place, force=True).run()
    assert model.read_bytes() == whole


@pytest.mark.parametrize("content", ["print()\n", '{"fps": 25}', "[]", '{"observation": [1]}'])
def test_a_draft_replaces_no_file_but_a_manifest(model: Path, content: str) -> None:
    other = model.with_name("other.txt")
    other.write_text(content)
    with pytest.raises(UsageError, match="exists and is no manifest"):
        DraftCommand(model=model, output=other, force=True).run()
    assert other.read_text() == content


def test_a_manifest_with_a_mistake_can_be_replaced(model: Path) -> None:
    beside = model.with_suffix(".manifest.json")
    assert DraftCommand(model=model).run() == OK
    draft = beside.read_text()
    beside.write_text(draft.replace("}\n", ",}\n"))
    assert DraftCommand(model=model, force=True).run() == OK
    assert beside.read_text() == draft
    assert [each.name for each in model.parent.iterdir() if "part" in each.name] == []


@pytest.mark.parametrize("place", ["/proc/x.json", "/dev/full", f"/tmp/{'x' * 300}.json"])
def test_a_draft_that_cannot_be_written_is_one_line(model: Path, place: str) -> None:
    """Who is not root may not write to the folders, which is found before."""
    result = run("draft", str(model), "--output", place, "--force")
    assert result.returncode in (FAILED, USAGE)
    assert result.stdout == ""
    assert result.stderr.startswith(f"skill-manifest: cannot write {place}: ")
    assert result.stderr.count("\n") == 1


def test_a_file_with_its_own_manifest_needs_no_draft(policy_file: Path) -> None:
    result = run("draft", str(policy_file))
    assert result.returncode == USAGE
    assert "it carries its own manifest, so one beside it would be ignored" in result.stderr
    assert f"skill-manifest check {policy_file}" in result.stderr
    assert not policy_file.with_suffix(".manifest.json").exists()


def test_an_ignored_manifest_is_named_once(policy_file: Path, tmp_path: Path) -> None:
    model = tmp_path / "own.onnx"
    shutil.copy(policy_file, model)
    model.with_suffix(".manifest.json").write_text("{}")
    result = run("check", str(model))
    assert result.returncode == OK
    assert result.stderr.count("own.manifest.json is ignored") == 1
