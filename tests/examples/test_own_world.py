"""The example of a world of one's own, from training to a score."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.served import DEADLINE_S

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_policy_is_trained_exported_and_scored(tmp_path: Path) -> None:
    flags = ["--env-steps", "13000", "--run-dir", str(tmp_path / "disc")]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "own_world.py"), *flags],
        capture_output=True,
        text=True,
        timeout=3 * DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "disc" / "policy.md").is_file()
    printed = done.stdout.splitlines()[-1]
    command = shlex.split(printed.removeprefix("cd examples && skill-eval"))
    score = "from skill_runtime.cli.entry import evaluate; evaluate()"
    report = tmp_path / "report.json"
    scored = subprocess.run(
        [sys.executable, "-c", score, *command, "--skills", "8", "--json", str(report)],
        capture_output=True,
        text=True,
        timeout=3 * DEADLINE_S,
        check=False,
        cwd=EXAMPLES,
    )
    assert scored.returncode == 0, scored.stderr
    assert json.loads(report.read_text())["coverage_cells"] >= 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--env-steps", "5"], "own_world.py: --env-steps 5 leaves no gradient step"),
        (["--env-steps", "-5"], "takes a number from 1 on, got -5"),
        (["--run-dir", "file"], "own_world.py: cannot create the run directory file"),
    ],
)
def test_a_mistake_is_explained(tmp_path: Path, flags: list[str], words: str) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "own_world.py"), *flags],
        capture_output=True,
        text=True,
        timeout=3 * DEADLINE_S,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
