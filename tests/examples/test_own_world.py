"""The example of a world of one's own, from training to a score."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

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
