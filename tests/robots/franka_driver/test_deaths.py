"""The arm comes to rest when a process dies or freezes, or the network is cut."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.robots.franka_driver.rig import (
    DEADLINE_S,
    Robot,
    ServerProcess,
    control_box,
    server_process,
)

from skill_robots.franka_driver.driver import ORPHAN_S
from skill_robots.franka_driver.records import DriverState, Phase
from skill_runtime.realtime.limits import process_state

ROBOTS: tuple[Robot, ...] = ("fer", "fr3")
ADDRESSES = {"fer": "127.13.3.5", "fr3": "127.13.3.10"}

FAST = 0.6
"""A joint that is faster moves [rad/s]; the swing reaches 0.79."""

SLOWING = 12.0
"""Highest deceleration of the compliant arm in a soft stop [rad/s^2]; ``python -m
benchmarks.arms.driver.deaths`` measures it."""


def until(server: ServerProcess, condition: Callable[[DriverState], bool]) -> DriverState:
    """Waits for a state of the driver."""
    ends = time.monotonic() + DEADLINE_S
    while not condition(state := server.state):
        assert time.monotonic() < ends, state
        time.sleep(0.0005)
    return state


def until_ended(pid: int) -> None:
    """Waits until a process has ended; nobody may have waited for it yet."""
    ends = time.monotonic() + ORPHAN_S + DEADLINE_S
    while process_state(pid) not in ("", "Z"):
        assert time.monotonic() < ends
        time.sleep(0.02)


def trace(server: ServerProcess, seconds: float) -> list[DriverState]:
    """Returns the states of a time, each once."""
    states = [server.state]
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        state = server.state
        if state.robot_ms != states[-1].robot_ms:
            states.append(state)
        time.sleep(0.0003)
    return states


def peak_deceleration(states: list[DriverState]) -> float:
    """Returns the largest change of a joint's velocity within 10 ms of the robot's time."""
    times = np.array([state.robot_ms for state in states]) * 1e-3
    velocities = np.array([state.velocity for state in states])
    later = np.searchsorted(times, times + 0.010)
    whole = later < len(times)
    change = velocities[later[whole]] - velocities[whole]
    return float(np.abs(change / (times[later[whole]] - times[whole])[:, None]).max())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["kill", "stop"])
@pytest.mark.parametrize("robot", ROBOTS)
def test_the_end_of_the_server_is_a_soft_stop(
    robot: Robot, number: signal.Signals, tmp_path: Path
) -> None:
    with (
        control_box(robot, ADDRESSES[robot], tmp_path, "--scene", "none") as box,
        server_process(box) as server,
    ):
        until(server, lambda state: abs(state.velocity[3]) > FAST)
        server.process.send_signal(number)
        states = trace(server, 0.7)
        assert states[-1].phase == Phase.HOLDING
        assert states[-1].stops == 0
        assert np.abs(states[-1].velocity).max() < 0.02
        assert peak_deceleration(states) < SLOWING
        if number == signal.SIGKILL:
            until_ended(server.driver)
        else:
            server.process.send_signal(signal.SIGCONT)
            until(server, lambda state: state.phase == Phase.FOLLOWING)
            until(server, lambda state: abs(state.velocity[3]) > FAST)
        assert server.state.stops == 0
        assert box.end()["reflexes"] == {}


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_box_that_dies_is_a_lost_connection(robot: Robot, tmp_path: Path) -> None:
    with (
        control_box(robot, ADDRESSES[robot], tmp_path, "--scene", "none") as box,
        server_process(box) as server,
    ):
        until(server, lambda state: abs(state.velocity[3]) > FAST)
        box.signal(signal.SIGKILL)
        until_ended(server.driver)
        (text,) = server.records.stop.read()
        assert text.startswith("the connection to the robot is lost: libfranka: ")
        assert server.process.wait(DEADLINE_S) == 1  # its read() has raised an ArmError
