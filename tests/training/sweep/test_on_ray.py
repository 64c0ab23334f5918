"""A sweep on a Ray cluster of two workers, one of which is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from tests.support.served import DEADLINE_S
from tests.training.sweep.test_sweep import TINY, command, sweep

pytest.importorskip("ray")

LONG = tuple("24000" if word == "400" else word for word in TINY)


def trainings(root: psutil.Process) -> list[psutil.Process]:
    """Returns the processes of ``skill-train`` below a process."""
    return [one for one in root.children(recursive=True) if "--run-dir" in " ".join(cmdline(one))]


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.slow
def test_a_lost_worker_costs_the_steps_since_its_checkpoint(tmp_path: Path) -> None:
    flags = ("--seeds", "0,1", "--ray", "local")
    common = (*LONG, "--checkpoint-interval", "800")
    with subprocess.Popen(command(tmp_path, *flags, common=common)) as process:
        root, ends = psutil.Process(process.pid), time.monotonic() + 3 * DEADLINE_S
        while not (tmp_path / "seed0" / "checkpoint.pt").exists():
            assert time.monotonic() < ends
            time.sleep(0.1)
        (training,) = [one for one in trainings(root) if "seed0" in " ".join(cmdline(one))]
        worker = training.parent()
        assert worker is not None
        os.kill(worker.pid, signal.SIGKILL)
        assert process.wait(5 * DEADLINE_S) == 0
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [row["seeds"] for row in rows] == [[0, 1]]
    sessions = json.loads((tmp_path / "seed0" / "run.json").read_text())["sessions"]
    assert len(sessions) == 2
    assert sessions[1]["from_env_steps"] > 0


def test_a_cluster_that_is_not_there_is_explained(tmp_path: Path) -> None:
    code, _, err = sweep(tmp_path, "--seeds", "0", "--ray", "127.0.0.1:1")
    assert code == 2
    assert "no Ray cluster at '127.0.0.1:1'" in err
    assert "Traceback" not in err
