"""A sweep on a Ray cluster of two workers, one of which is killed."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from tests.support.children import child_process, children_with
from tests.support.served import DEADLINE_S
from tests.training.sweep.test_sweep import TINY, command, sweep

pytest.importorskip("ray")

LONG = tuple("12000" if word == "400" else word for word in TINY)


@pytest.mark.slow
def test_a_lost_worker_costs_the_steps_since_its_checkpoint(tmp_path: Path) -> None:
    flags = ("--seeds", "0,1", "--ray", "local")
    common = (*LONG, "--checkpoint-interval", "800")
    with child_process(command(tmp_path, *flags, common=common)) as process:
        ends = time.monotonic() + 3 * DEADLINE_S
        while not (tmp_path / "seed0" / "checkpoint.pt").exists():
            assert time.monotonic() < ends
            time.sleep(0.1)
        (training,) = children_with(f"--run-dir {tmp_path / 'seed0'}", process.pid, all_below=True)
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
