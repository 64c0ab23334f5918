"""A sweep as a user runs it, with real runs of a second."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.support.children import child_process
from tests.support.served import DEADLINE_S

from skill_training.cli import main

TINY = (
    *("--world", "half_cheetah", "--env-steps", "400", "--warmup-steps", "80"),
    *("--n-envs", "4", "--eval-skills", "4", "--final-eval-goals", "2", "--eval-interval", "160"),
)


def command(folder: Path, *flags: str, common: tuple[str, ...] = TINY) -> list[str]:
    start = "from skill_training.entry import main; main()"
    own = ["sweep", "csf", "--folder", str(folder), *flags]
    steps = ("--task.episode-steps", "20", "--csf.hidden", "16")
    return [sys.executable, "-c", start, *own, "--", *common, *steps]


def sweep(folder: Path, *flags: str, common: tuple[str, ...] = TINY) -> tuple[int, str, str]:
    done = subprocess.run(
        command(folder, *flags, common=common),
        capture_output=True,
        text=True,
        timeout=5 * DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def sweep_here(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    *flags: str,
    common: tuple[str, ...] = TINY,
) -> tuple[int, str, str]:
    """Runs a sweep in this process, which has loaded the program; each run has its own process."""
    with pytest.raises(SystemExit) as ended:
        main(command(folder, *flags, common=common)[3:])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_all_runs_are_in_the_table_and_run_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ("--seeds", "0", "--set", "csf.contrast-weight=1,5")
    code, out, err = sweep_here(capsys, tmp_path, *weights)
    assert (code, err) == (0, "")
    assert "csf.contrast-weight=5" in out
    assert "coverage_cells" in out
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [(row["setting"], row["seeds"]) for row in rows] == [
        ("csf.contrast-weight=1", [0]),
        ("csf.contrast-weight=5", [0]),
    ]
    policies = sorted(tmp_path.glob("*/policy.onnx"))
    written = [path.stat().st_mtime_ns for path in policies]
    assert len(written) == 2
    # The same command has nothing to do.
    code, out, err = sweep_here(capsys, tmp_path, *weights, "--metrics", "median_displacement")
    assert (code, err) == (0, "")
    assert "median_displacement" in out
    assert [path.stat().st_mtime_ns for path in policies] == written
    assert json.loads((tmp_path / "table.json").read_text()) == rows
    named = ("--metrics", "nope", "median_displacement")
    code, out, err = sweep_here(capsys, tmp_path, *weights, *named)
    assert code == 2
    assert "--metrics nope: no run has it; there are " in err
    assert "median_displacement" in out
    assert "nope" not in out


def test_another_sweep_in_the_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep_here(capsys, tmp_path, "--seeds", "0")[0] == 0
    other = (*TINY, "--csf.discount", "0.9")
    code, _, err = sweep_here(capsys, tmp_path, "--seeds", "0", common=other)
    assert code == 2
    assert "holds another sweep (csf --world half_cheetah" in err


def test_a_record_without_a_configuration_is_not_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seed0").mkdir()
    record = {"env_steps": 400, "final/coverage_cells": 99.0}
    (tmp_path / "seed0" / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    code, out, err = sweep_here(capsys, tmp_path, "--seeds", "0")
    assert code == 1
    assert "seed0 is not empty and not a run directory" in err
    assert "| as given | 0" in out


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (("--seeds", "x"), "--seeds takes numbers"),
        (("--set", "csf.discount=2"), "discount"),
        (("--set", "csf.discount"), "--set takes"),
        (("--jobs", "-1"), "--jobs takes"),
        (("--set", "csf.representation.inputs=cube"), "no entry 'cube'"),
    ],
)
def test_a_wrong_flag_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], text: str
) -> None:
    folder = tmp_path / "sweep"
    code, _, err = sweep_here(capsys, folder, *flags)
    assert code == 2
    assert text in err
    assert not folder.exists()


def test_a_run_that_fails_does_not_end_the_others(tmp_path: Path) -> None:
    (tmp_path / "seed0").mkdir()
    (tmp_path / "seed0" / "thesis.tex").write_text("chapter 1")
    code, out, err = sweep(tmp_path, "--seeds", "0,1")
    assert code == 1
    assert "seed0 ended with code 2" in err
    assert "thesis.tex" in err
    assert "| as given | 1" in out


def test_a_killed_sweep_leaves_no_process_and_goes_on(tmp_path: Path) -> None:
    long = (*TINY, "--checkpoint-interval", "80")
    long = tuple("16000" if word == "400" else word for word in long)
    with child_process(command(tmp_path, "--seeds", "0", common=long)) as process:
        ends = time.monotonic() + DEADLINE_S
        while not (tmp_path / "seed0" / "checkpoint.pt").exists() and time.monotonic() < ends:
            time.sleep(0.1)
        children = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
    assert children
    _, alive = psutil.wait_procs(children, timeout=DEADLINE_S)
    for child in alive:
        child.kill()
    assert not alive
    code, out, err = sweep(tmp_path, "--seeds", "0", common=long)
    assert (code, err) == (0, "")
    assert "| as given | 1" in out
    records = (tmp_path / "seed0" / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(record)["env_steps"] for record in records]
    assert steps == sorted(steps)
