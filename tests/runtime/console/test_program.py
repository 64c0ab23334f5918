"""Version and end of a program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.served import DEADLINE_S

from skill_runtime.console.program import version_text

ROOT = Path(__file__).parents[3]


def test_the_version_names_program_and_libraries() -> None:
    first, second = version_text("skill-serve").splitlines()
    assert re.fullmatch(r"skill-serve \d+\.\d+\.\d+( \(checkout of [0-9a-f]{12}\))?", first)
    for name in ("python ", "numpy ", "mujoco ", "onnxruntime", "pyzmq "):
        assert name in second


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_in_a_checkout_the_version_names_the_revision() -> None:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        pytest.skip("git does not work here")
    assert f" (checkout of {done.stdout.strip()})\n" in version_text("skill-serve")


def test_an_interrupt_that_nobody_handles_has_its_exit_code() -> None:
    program = (
        "from skill_runtime.console.program import run_program\n"
        "def main():\n    raise KeyboardInterrupt\n"
        "run_program('program', main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
