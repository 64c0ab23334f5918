"""A value that a benchmark refuses by itself ends it with 2 and one line, before any work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEADLINE_S = 120.0

REFUSED = {
    "serving.revisions --before cat --after cat": "'cat' is no file; name an installed",
    "serving.endurance soak --minutes 0.01": "--minutes takes a number from 0.1",
    "serving.load lost --rate 0": "--rate",
    "serving.failures --only nothing": "--only takes ",
    "arms.ladder --episodes 3": "a positive multiple of 4",
    "context.suite --worlds ant --folder FOLDER": "--worlds takes some of ",
    "discovery.baselines --world ant --env-steps 100 --folder FOLDER --rows nothing": "there is no",
    "skills.edges --models models/none.onnx": "none.onnx",
}
"""Command lines, and a part of the line that each prints."""


@pytest.mark.parametrize("line", REFUSED)
def test_a_refused_value_ends_with_2_and_one_line(line: str, tmp_path: Path) -> None:
    module, *words = line.replace("FOLDER", str(tmp_path / "runs")).split()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}", *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        cwd=ROOT,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert REFUSED[line] in done.stderr
    assert done.stderr.count("\n") == 1
