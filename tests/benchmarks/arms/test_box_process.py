"""The box of a benchmark ends with the benchmark, and its death is noticed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from benchmarks.arms.box_process import BoxProcess

from skill_robots.control_box.wire.protocol import ROBOT_PORT

HOST = f"127.46.{os.getpid() % 250 + 1}"

FAILING_CONNECT = """
from pathlib import Path
from benchmarks.arms import box_rung
from skill_runtime.policy import OnnxPolicy
box_rung.ADDRESSES["fr3"] = "{address}"
policy = OnnxPolicy(Path("models/csf_panda.onnx"))
try:
    box_rung.BoxRung(policy.manifest, "fr3", servo_rate_hz=50.0)
except ValueError as error:
    print(error)
"""
"""A driver has no servo rate of 50 Hz, so that its connection fails after the box has started."""

BENCHMARK = """
import time
from benchmarks.arms.box_process import BoxProcess
box = BoxProcess("fr3", "{address}")
print(box.process.pid, flush=True)
time.sleep(600.0)
"""

DEADLINE_S = 30.0
"""Longest wait for an expected event [s]; long, since the machine may be busy."""


def test_a_killed_benchmark_leaves_no_box() -> None:
    command = [sys.executable, "-c", BENCHMARK.format(address=f"{HOST}.4")]
    benchmark = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert benchmark.stdout is not None
    box = int(benchmark.stdout.readline())
    benchmark.kill()
    benchmark.communicate()
    ends = time.monotonic() + DEADLINE_S
    while Path(f"/proc/{box}").exists():  # until then its address is taken
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_dead_box_is_noticed() -> None:
    box = BoxProcess("fr3", f"{HOST}.1")
    try:
        box.place(0.0, 0.1, 0.0, 0.1, 0.5)
        assert box.truth().placement == 1
        os.kill(box.process.pid, signal.SIGKILL)
        with pytest.raises(SystemExit, match=f"control box on {HOST}.1 has ended with code -9"):
            box.place(0.0, 0.1, 0.0, 0.1, 0.5)
    finally:
        box.close()


def test_a_box_without_a_cube_leaves_its_report_and_every_millisecond() -> None:
    with BoxProcess("fr3", f"{HOST}.3", cube=False, truth_cycles=10, trace_s=0.2) as box:
        truths = [box.next_truth() for _ in range(25)]  # at least 0.24 s
        assert all(truth is not None and np.isnan(truth.cube.position).all() for truth in truths)
        report, trace = box.end(), box.trace()
    assert report["robot"] == "fr3"
    assert trace.velocity.shape == (200, 7)
    assert (np.diff(trace.time_s) > 0.0).all()
    assert trace.errors(0) == ()


def test_a_driver_that_does_not_connect_ends_the_box() -> None:
    address = f"{HOST}.2"
    done = subprocess.run(
        [sys.executable, "-c", FAILING_CONNECT.format(address=address)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "servo_rate_hz must be in (80, 1000]" in done.stdout
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, ROBOT_PORT), 1.0)
