"""The rule of the Makefile that installs ROS 2 for these tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_ros_that_could_not_be_installed_is_tried_again(tmp_path: Path) -> None:
    mark = tmp_path / ".ros2"
    (tmp_path / ".dev").touch()

    def install(pip: str) -> str:
        command = ["make", "-o", f"{tmp_path}/.dev", str(mark), f"VENV={tmp_path}", f"PIP={pip}"]
        # Not as a part of the make that may run these tests.
        outside = {name: value for name, value in os.environ.items() if "MAKE" not in name}
        done = subprocess.run(
            command, cwd=ROOT, env=outside, capture_output=True, text=True, check=True
        )
        return done.stdout

    said = install("false")  # as without a network
    assert len(said.splitlines()) == 1
    assert "ROS 2 is not installed" in said
    assert not mark.exists()
    assert install("true") == ""
    assert mark.exists()
