"""The streaming controllers in Python and C++ against a real server that counts their targets."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.support.served import DEADLINE_S

from skill_runtime.client import SkillClient

EXAMPLES = Path(__file__).parents[2] / "examples"

SECONDS = 1.5
MIN_SENT, MIN_ACCEPTED = 0.25, 0.15
"""Fractions of rate times seconds. An idle machine sends and accepts all targets; with four busy
processes on two processors it is still two fifths."""


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def output(process: subprocess.Popen[str]) -> str:
    """Returns the output of the process; an error fails the test."""
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    return out


def check_the_count(client: SkillClient, out: str, rate: float) -> None:
    """Every target that was sent was accepted or is listed as refused, and the arm holds.

    The rate of the targets is close to the requested one.
    """
    counts = re.search(r"(\d+) targets sent, (\d+) dropped, refused: ?(.*)", out)
    assert counts is not None
    sent, dropped = int(counts[1]), int(counts[2])
    named = {code: int(n) for n, code in re.findall(r"(\d+) (\w+)", counts[3])}
    client.hello()
    state = client.state()
    counted = {
        name.removeprefix("rejected."): n
        for name, n in state.counters.items()
        if name.startswith("rejected.")
    }
    assert counted == named
    assert set(named) <= {"stale"}  # if the machine was suspended
    assert sent + dropped >= MIN_SENT * rate * SECONDS
    assert sent >= state.command_seq >= MIN_ACCEPTED * rate * SECONDS
    assert (state.mode, state.lease_holder) == ("hold", None)
    assert state.counters.get("lease_lost", 0) == 0
    assert state.counters.get("governor", 0) == 0


@pytest.mark.parametrize("joint", [False, True], ids=["pose", "joint"])
def test_the_python_controller_streams(client: SkillClient, joint: bool) -> None:
    before = np.array(client.state().joint_setpoint, float)
    words = ["--address", client.address, "--seconds", f"{SECONDS:g}", "--rate", "500"]
    script = str(EXAMPLES / "servo.py")
    out = output(start(sys.executable, "-W", "error", script, *words, *["--joint"] * joint))
    assert re.search(r"round trip p50 \d+\.\d ms, p99 \d+\.\d ms\n", out)
    assert re.search(r"the measured arm lags -?\d+ ms behind the targets\n", out)
    check_the_count(client, out, 500.0)
    moved = np.abs(np.array(client.state().joint_setpoint, float) - before)
    assert moved.max() > 0.01
    assert not joint or moved[:-1].max() < 1e-3


def test_ctrl_c_leaves_the_arm_holding(client: SkillClient) -> None:
    script = str(EXAMPLES / "servo.py")
    interrupt(client, start(sys.executable, script, "--address", client.address))


def interrupt(client: SkillClient, process: subprocess.Popen[str]) -> None:
    """Sends Ctrl-C as soon as the arm is in mode servo."""
    ends = time.monotonic() + DEADLINE_S
    while client.state().mode != "servo" and time.monotonic() < ends:
        pass
    process.send_signal(signal.SIGINT)
    assert "the arm holds" in output(process)
    client.hello()
    state = client.state()
    assert (state.mode, state.lease_holder) == ("hold", None)
    assert state.counters.get("lease_lost", 0) == 0


@pytest.mark.parametrize("words", [("--rate", "0"), ("--rate", "1001"), ("--seconds", "-1")])
def test_the_python_controller_checks_its_arguments(words: tuple[str, ...]) -> None:
    process = start(sys.executable, str(EXAMPLES / "servo.py"), *words)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "--rate takes 1 to 1000 Hz, --seconds a positive number" in errors


def test_the_python_controller_has_at_most_80_lines() -> None:
    assert len((EXAMPLES / "servo.py").read_text(encoding="utf-8").splitlines()) <= 80


# C++ ----------------------------------------------------------------------------------------------


@pytest.fixture
def program(programs: Path) -> str:
    return str(programs / "servo")


def test_the_cpp_controller_streams_at_1_khz(client: SkillClient, program: str) -> None:
    before = np.array(client.state().joint_setpoint, float)
    out = output(start(program, "--address", client.address, "--seconds", f"{SECONDS:g}"))
    assert "panda, servo at 200 Hz" in out
    assert re.search(r"round trip p50 [\d.]+ ms, p99 [\d.]+ ms\n", out)
    check_the_count(client, out, 1000.0)
    moved = re.search(r"the last joint moved by ([\d.]+) rad; the arm holds\n", out)
    assert moved is not None
    assert float(moved[1]) > 0.05
    after = np.array(client.state().joint_setpoint, float)
    np.testing.assert_allclose(after[:-1], before[:-1], atol=1e-3)
    assert abs(after[-1] - before[-1]) > 0.01


def test_ctrl_c_gives_the_lease_of_the_cpp_controller_back(
    client: SkillClient, program: str
) -> None:
    interrupt(client, start(program, "--address", client.address, "--seconds", "60"))


def test_the_cpp_controller_prints_the_refusal(client: SkillClient, program: str) -> None:
    with client.acquire("the other one"):
        process = start(program, "--address", client.address)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "lease_held: 'the other one' holds the lease" in errors


def test_without_a_server_the_cpp_controller_prints_the_address(program: str) -> None:
    process = start(program, "--address", "tcp://127.0.0.1:1")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == "servo: no answer (tcp://127.0.0.1:1)\n"
