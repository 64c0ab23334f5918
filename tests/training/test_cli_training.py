"""``skill-train`` as a process: killed, interrupted, resumed, and called with mistakes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
import torch
from tests.support.children import child_process

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_training.cli import main
from skill_training.device import cpu_rounds_to_bf16
from skill_training.errors import NothingToShipError
from skill_training.export.graph import PolicyGraph
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.recipe import SkillRecipe
from skill_training.recipes.recipe import RunFacts
from skill_training.recipes.registry import RECIPES
from skill_training.run.metrics_log import read

Cli = Callable[..., subprocess.CompletedProcess[str]]
Flags = Callable[..., list[str]]

DEADLINE_S = 200.0

NAMES = [name for recipe in RECIPES for name in recipe.config_types]


def _steady(directory: Path) -> list[dict[str, float]]:
    return [
        {name: value for name, value in row.items() if not name.startswith(("speed/", "wall"))}
        for row in read(directory / "metrics.jsonl")
    ]


@pytest.fixture
def long_run(
    skill_train_command: list[str], tiny_flags: Flags, tmp_path: Path
) -> Iterator[subprocess.Popen[str]]:
    """A long run in ``run`` that has saved a checkpoint; it is killed after the test."""
    flags = [*tiny_flags("csf", env_steps=400_000), "--run-dir", "run"]
    with child_process(
        [*skill_train_command, "csf", *flags],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + DEADLINE_S
            while not (tmp_path / "run" / "checkpoint.pt").is_file():
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.5)
            yield process
        finally:
            process.kill()


def _shorten(directory: Path, env_steps: int) -> None:
    """Shortens the run in ``directory`` to ``env_steps``."""
    config = json.loads((directory / "config.json").read_text())
    config["run"]["env_steps"] = env_steps
    (directory / "config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def finished_run(
    skill_train_command: list[str], tiny_flags: Flags, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A finished run of a process. Tests use copies of it."""
    directory = tmp_path_factory.mktemp("finished")
    done = subprocess.run(
        [*skill_train_command, "csf", *tiny_flags("csf"), "--run-dir", "run"],
        cwd=directory,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"wrote {Path('run/policy.onnx')}" in done.stderr
    assert "100%" in done.stderr
    return directory / "run"


@pytest.fixture
def run_to_the_end(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run at ``run`` in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def test_a_run_leaves_a_policy_and_its_card(run_to_the_end: Path) -> None:
    names = {entry.name for entry in run_to_the_end.iterdir()}
    assert names == {
        "checkpoint.pt",
        "config.json",
        "metrics.jsonl",
        "policy.md",
        "policy.onnx",
        "run.json",
        "run.lock",
        "tensorboard",
    }
    session = ort.InferenceSession(run_to_the_end / "policy.onnx")
    text = session.get_modelmeta().custom_metadata_map[METADATA_KEY]
    manifest = PolicyManifest.from_json(text)
    assert manifest.provenance.environment_steps == 320
    assert manifest.provenance.gradient_steps == 30
    assert manifest.evaluation is not None
    assert str(run_to_the_end.parent) not in text
    card = (run_to_the_end / "policy.md").read_text()
    assert manifest.provenance.command in card
    run = json.loads((run_to_the_end / "run.json").read_text())
    assert run["matmul"] == ("bfloat16" if cpu_rounds_to_bf16() else "float32")
    assert manifest.provenance.config["run"]["matmul"] == run["matmul"]
    assert f"| matrix products | {run['matmul']} inputs |" in card
    assert "cube mass | 0.4 | 1.6 | kg" in card


def test_a_finished_run_is_exported_again_and_plotted(
    run_to_the_end: Path, skill_train: Cli
) -> None:
    done = skill_train("export", "run", "--out", "models/again.onnx")
    assert done.returncode == 0, done.stderr
    again = run_to_the_end.parent / "models" / "again.onnx"
    assert again.is_file()
    assert again.with_suffix(".md").is_file()
    done = skill_train("plot", "run", "run", "--out", "curves.png")
    assert done.returncode == 0, done.stderr
    assert (run_to_the_end.parent / "curves.png").read_bytes().startswith(b"\x89PNG")
    # A finished run is not trained again; without its policy file it is exported once more.
    (run_to_the_end / "policy.onnx").unlink()
    done = skill_train("csf", "--resume", "run")
    assert done.returncode == 0, done.stderr
    assert (run_to_the_end / "policy.onnx").is_file()


def test_a_run_killed_in_mid_training_continues_from_its_checkpoint(
    long_run: subprocess.Popen[str], skill_train: Cli, tmp_path: Path
) -> None:
    long_run.kill()
    long_run.wait()
    assert long_run.returncode == -signal.SIGKILL
    run, whole = tmp_path / "run", tmp_path / "whole"
    logged = read(run / "metrics.jsonl")[-1]["env_steps"]
    end = int(logged) + 400
    _shorten(run, end)
    # The steps that were logged after the last checkpoint are repeated with equal results.
    done = skill_train("csf", "--resume", "run")
    assert done.returncode == 0, done.stderr
    assert (run / "policy.onnx").is_file()
    whole.mkdir()
    shutil.copy(run / "config.json", whole)
    begun = json.loads((run / "run.json").read_text())
    del begun["exported_env_steps"]
    (whole / "run.json").write_text(json.dumps(begun))
    assert skill_train("csf", "--resume", "whole").returncode == 0
    assert _steady(run) == _steady(whole)


@pytest.mark.usefixtures("run_to_the_end")
def test_a_damaged_checkpoint_is_named(ask: Callable[..., str]) -> None:
    path = Path("run/checkpoint.pt")
    path.write_bytes(path.read_bytes()[:1000])
    assert "checkpoint.pt is damaged" in ask("csf", "--resume", "run")
    assert "checkpoint.pt is damaged" in ask("export", "run", "--out", "a.onnx")


@pytest.mark.usefixtures("run_to_the_end")
@pytest.mark.parametrize("out", [".", "policy", "run/policy.md"])
def test_a_policy_file_name_must_end_in_onnx(out: str, ask: Callable[..., str]) -> None:
    assert "ends in .onnx" in ask("export", "run", "--out", out)


@pytest.mark.usefixtures("run_to_the_end")
def test_a_run_is_not_continued_with_other_settings(
    ask: Callable[..., str], tiny_flags: Flags, skill_train: Cli
) -> None:
    said = ask("csf", *tiny_flags("csf"), "--seed", "1", "--run-dir", "run")
    assert "run holds a run with other settings (run.seed is 0, not 1)" in said
    assert "skill-train csf --resume run" in ask("metra", "--resume", "run")
    for flags in (["--seed", "1"], ["--seed", "0"], ["--csf.discount=.5"], ["--run-dir", "run"]):
        said = ask("csf", "--resume", "run", *flags)
        assert "leave out " + flags[0].partition("=")[0] in said
        assert "Only these flags may be given beside it: --env-steps, --device" in said
    assert "less than the 320 environment steps" in ask(
        "csf", "--resume", "run", "--env-steps", "9"
    )
    same = skill_train("csf", *tiny_flags("csf"), "--run-dir", "run")
    assert same.returncode == 0, same.stderr


def test_a_directory_with_other_files_is_not_used(ask: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("chapter 1")
    assert "thesis.tex" in ask("csf", "--run-dir", str(tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


class _Bound(SkillRecipe):
    """CSF with a policy that cannot be served."""

    def shipped(
        self, config: SkillConfig, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        raise NothingToShipError("it is told what nobody can know")


def test_a_run_without_a_policy_file_ends_successfully(
    ask: Callable[..., str], tiny_flags: Flags, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skill_training.recipes.registry.RECIPES", (_Bound(),))
    said = ask("csf", *tiny_flags("csf"), "--run-dir", "bound", status=0)
    assert "finished without a policy file: it is told" in said
    assert (Path("bound") / "checkpoint.pt").is_file()
    assert not (Path("bound") / "policy.onnx").exists()
    said = ask("export", "bound", "--out", "a.onnx")
    assert "skill-train: it is told what nobody can know" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_finished_run_is_lengthened_on_another_device(
    run_to_the_end: Path, ask: Callable[..., str], skill_train: Cli
) -> None:
    run, before = run_to_the_end, (run_to_the_end / "policy.onnx").read_bytes()
    plain = json.loads((run / "config.json").read_text())
    plain["run"]["device"] = "cuda"
    (run / "config.json").write_text(json.dumps(plain))
    facts = json.loads((run / "run.json").read_text())
    for part in (facts, facts["sessions"][0]):
        part |= {"matmul": "float32", "machine": "a machine with CUDA", "code_revision": "older"}
    (run / "run.json").write_text(json.dumps(facts))
    assert "or give --device cpu" in ask("csf", "--resume", "run", "--env-steps", "400")
    assert json.loads((run / "run.json").read_text()) == facts  # a refused session has no entry
    done = skill_train("csf", "--resume", "run", "--env_steps=400", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    plain["run"] |= {"device": "cpu", "env_steps": 400}
    assert json.loads((run / "config.json").read_text()) == plain
    facts = json.loads((run / "run.json").read_text())
    assert [each["from_env_steps"] for each in facts["sessions"]] == [0, 320]
    assert facts["sessions"][1]["changes"] == {"env_steps": 400, "device": "cpu"}
    assert [each["end"] for each in facts["sessions"]] == ["finished", "finished"]
    assert (run / "policy.onnx").read_bytes() != before
    card = (run / "policy.md").read_text()
    assert "| environment steps | 400 |" in card
    assert "| code revision | older, then " in card
    assert "| machine | a machine with CUDA, then " in card


def test_a_mistake_gives_no_traceback(skill_train: Cli) -> None:
    done = skill_train("csf", "--csf.representation.inputs", "cube")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "cube_position" in done.stderr


@pytest.mark.parametrize("command", [*NAMES, "export", "plot"])
def test_every_flag_has_a_sentence(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([command, "--help"])
    assert exit_info.value.code == 0
    lines = [line.strip("│ \n") for line in capfd.readouterr().out.splitlines()]
    flags = [index for index, line in enumerate(lines) if line.startswith("--")]
    assert flags
    for index in flags:
        described = " ".join(lines[index : index + 2])
        assert len(described.split()) > 4, described
