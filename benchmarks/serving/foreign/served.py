"""Serves a policy file with a real skill-serve, and sends it goals."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.serving.failures.rig import free_port
from skill_proto.arrays import Array
from skill_runtime.client import ClientError, CommandRefusedError, LeaseLostError, SkillClient

START_S = 60.0
PERIOD_S = 0.1
VALID_FOR_S = 3.0
LONGEST_S = 60.0
"""Longest time for one goal [s]."""


@contextmanager
def served(model: Path) -> Generator[SkillClient]:
    """Runs skill-serve on a simulated arm until the end of the block."""
    port = free_port()
    command = [sys.executable, "-m", "skill_runtime.cli.serve", "--model", str(model)]
    process = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        with SkillClient(f"tcp://127.0.0.1:{port}", timeout_s=20.0) as client:
            _wait(client, process)
            yield client
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=20.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait(client: SkillClient, process: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + START_S
    while True:
        try:
            client.hello()
        except ClientError:
            if process.poll() is not None:
                raise RuntimeError(process.communicate()[0]) from None
            if time.monotonic() > ends:
                raise
        else:
            return


def goal_distances(client: SkillClient, goals: Array, steps: int, seed: int = 0) -> list[float]:
    """Returns the distance of the end effector from each goal after some control steps [m].

    Control steps are those of the arm, so that the load of the machine does not change the score.
    """
    _acquire(client)
    found: list[float] = []
    for k, goal in enumerate(goals):
        client.reset(seed + k)
        start, ends = client.state().policy_steps, time.monotonic() + LONGEST_S
        distance = float("nan")
        while time.monotonic() < ends:
            try:
                client.goal(goal.tolist(), valid_for_s=VALID_FOR_S)
            except LeaseLostError:  # a process of the server was late, on a machine under load
                _acquire(client)
            except CommandRefusedError:  # too old, there too
                pass
            time.sleep(PERIOD_S)
            state = client.state()
            if state.goal_distance is not None:
                distance = state.goal_distance
            if state.policy_steps - start >= steps:
                break
        found.append(distance)
    return found


def _acquire(client: SkillClient) -> None:
    """Takes the lease. A machine under load may have stopped the arm while the server started."""
    for _ in range(20):
        try:
            client.acquire("benchmark", 20.0)
        except CommandRefusedError:
            time.sleep(0.5)
            client.clear()
        else:
            return
    client.acquire("benchmark", 20.0)


def draw_goals(low: Array, high: Array, n: int, seed: int) -> Array:
    """Returns ``(n, 3)`` goals."""
    return np.random.default_rng(seed).uniform(low, high, (n, len(low)))
