"""crisp_py's own Robot class drives the arm, and publishes both kinds of targets at once."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.serving.ros2.processes import CRISP
from tests.runtime.ros2.conftest import Rig
from tests.support.served import until


def test_the_robot_of_crisp_moves_the_hand(rig: Rig) -> None:
    rig.settle()
    done = subprocess.run(
        [sys.executable, str(CRISP), "reach", "0.06", "-0.05", "0.16"],
        env=rig.environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["distance_m"] < 0.015
    until(lambda: rig.holder is None and rig.mode == "hold")  # its process has ended
