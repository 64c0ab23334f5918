"""A simulated control box, and programs that move its robot, as processes of their own."""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.arm import ArmCommunicationError, ArmState, JointTarget
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.franka_driver.franka_arm import FrankaArm
from skill_robots.franka_driver.records import DriverState, SharedRecords

Robot = Literal["fer", "fr3"]
MODULES: dict[Robot, str] = {"fer": "panda_py", "fr3": "franky"}

DEADLINE_S = 30.0
"""Longest wait for an expected event [s]; long, since the machine may be busy."""

MAX_SLIP_S = 0.02
"""A box that lost more real time than this makes honest clients look too fast or too late [s]."""

BOX = "from skill_runtime.cli.entry import control_box; control_box()"


@dataclass
class Box:
    """A control box that runs."""

    process: subprocess.Popen[bytes] = field(repr=False)
    robot: Robot
    address: str
    report_file: Path

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the box; SIGUSR1 presses the user stop, SIGUSR2 releases it."""
        self.process.send_signal(number)

    def end(self) -> dict[str, object]:
        """Ends the box and returns its report; an empty one if it was killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            self.process.wait(DEADLINE_S)
        with suppress(FileNotFoundError):
            return json.loads(self.report_file.read_text())
        return {}


@contextmanager
def control_box(robot: Robot, address: str, folder: Path, *options: str) -> Generator[Box]:
    """Runs a box; a failure while it lost real time is inconclusive, and skips the test."""
    pytest.importorskip(MODULES[robot], reason="needs the extra 'franka'")
    report = folder / f"{address}.json"
    command = [sys.executable, "-c", BOX, "--robot", robot, "--address", address]
    command += ["--json", str(report), *options]
    with (folder / f"{address}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    box = Box(process, robot, address, report)
    try:
        yield box
    except BaseException:
        slip = box.end().get("slip_s", 0.0)
        if isinstance(slip, float) and slip > MAX_SLIP_S:
            pytest.skip(f"inconclusive: the box lost {slip:.3f} s of real time")
        print((folder / f"{address}.log").read_text())
        raise
    finally:
        box.end()


@contextmanager
def connected(
    box: Box, config: DriverConfig | None = None, *, servo_rate_hz: float = 200.0
) -> Generator[FrankaArm]:
    """Connects an arm to a box as soon as the box listens, and closes it."""
    arm = until_connected(box.address, config, servo_rate_hz)
    try:
        yield arm
    finally:
        arm.close()


def until_connected(
    address: str, config: DriverConfig | None = None, servo_rate_hz: float = 200.0
) -> FrankaArm:
    """Waits until the box listens, and connects."""
    ends = time.monotonic() + DEADLINE_S
    while True:
        try:
            return FrankaArm.connect(address, config=config, servo_rate_hz=servo_rate_hz)
        except ArmCommunicationError as error:
            if "listens" not in str(error) or time.monotonic() > ends:
                raise
            time.sleep(0.05)


class Server:
    """Sends set-points to an arm at its rate, and begins again from the measured pose if it must.

    The set-points swing the joints of one arm: ``start + amplitude (1 - cos(w t)) / 2``.

    Args:
        arm: the arm.
        amplitude: ``(7,)`` [rad].
        period_s: of one swing [s].

    Attributes:
        state: the newest state.
        setpoint: the newest set-point.
        refused: set-points that did not reach the arm.
        seats: times that the motion began at the measured pose.
        errors: tracking errors ``(7,)`` of the moving arm [rad].
    """

    def __init__(self, arm: FrankaArm, amplitude: Array, period_s: float = 4.0) -> None:
        self.arm = arm
        self.refused = self.seats = 0
        self.errors: list[Array] = []
        self._amplitude, self._w = amplitude, 2.0 * np.pi / period_s
        self._time_s, self._tick = 0.0, 0
        self.state = until_readable(arm)
        self._seat()

    def run(self, seconds: float, each: Callable[[ArmState], None] = lambda _: None) -> None:
        """Runs for a time, and calls ``each`` with every state."""
        due = time.monotonic()
        for _ in range(round(seconds / self.arm.servo_period_s)):
            self.tick()
            each(self.state)
            due += self.arm.servo_period_s
            left = due - time.monotonic()
            if left > 0.0:
                time.sleep(left)
            elif left < -0.02:
                due = time.monotonic()

    def tick(self) -> None:
        """Runs one servo period."""
        try:
            self.state = self.arm.read()
        except ArmCommunicationError:  # the machine was busy
            self.refused += 1
            return
        w, t = self._w, self._time_s
        self.setpoint = self._start + self._amplitude * (1.0 - np.cos(w * t)) / 2.0
        try:
            self.arm.command(
                JointTarget(
                    position=self.setpoint,
                    velocity=self._amplitude * w * np.sin(w * t) / 2.0,
                    acceleration=self._amplitude * w * w * np.cos(w * t) / 2.0,
                )
            )
        except ArmCommunicationError:
            self.refused += 1
            self._seat()
            return
        self.errors.append(self.setpoint - self.state.joint_position)
        self._time_s += self.arm.servo_period_s

    def _seat(self) -> None:
        self._start, self._time_s = self.state.joint_position.copy(), 0.0
        self.setpoint = self._start
        self.seats += 1


def until_readable(arm: FrankaArm) -> ArmState:
    """Reads the arm as soon as it answers."""
    ends = time.monotonic() + DEADLINE_S
    while True:
        try:
            return arm.read()
        except ArmCommunicationError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.005)


def until_raised(arm: FrankaArm, kind: type[Exception], timeout_s: float = DEADLINE_S) -> Exception:
    """Reads the arm until it raises this very class, and returns the error."""
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        try:
            arm.read()
        except Exception as error:
            if type(error) is kind:
                return error
        time.sleep(0.002)
    pytest.fail(f"no {kind.__name__} within {timeout_s} s")


# A server process that can be killed --------------------------------------------------------------

PROGRAM = """
import sys
import numpy as np
from tests.robots.franka_driver.rig import Server, until_connected
arm = until_connected(sys.argv[1])
server = Server(arm, np.array([0.0, 0.0, 0.0, float(sys.argv[2]), 0.0, 0.0, 0.0]))
driver = arm._processes._driver
print(driver.pid, arm._processes._memory, flush=True)
server.run(600.0)
"""


@dataclass
class ServerProcess:
    """A server in a process of its own, and the memory of its driver."""

    process: subprocess.Popen[str]
    driver: int
    """Process id of the driver."""
    records: SharedRecords

    @property
    def state(self) -> DriverState:
        """The newest state that the driver has written."""
        while (state := self.records.read_state()) is None:
            pass
        return state


@contextmanager
def server_process(box: Box, amplitude: float = 1.0) -> Generator[ServerProcess]:
    """Runs a server that swings joint 4; at an amplitude of 1 rad with up to 0.79 rad/s."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, box.address, str(amplitude)],
        stdout=subprocess.PIPE,
        text=True,
    )
    driver = 0
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        driver, descriptor = map(int, line.split())
        # The driver's memory has no name; /proc has it for as long as the driver lives.
        memory = os.open(f"/proc/{driver}/fd/{descriptor}", os.O_RDWR)
        mapped = memoryview(mmap.mmap(memory, os.fstat(memory).st_size))
        os.close(memory)
        yield ServerProcess(process, driver, SharedRecords(mapped))
    finally:
        for pid in (process.pid, driver):
            with suppress(ProcessLookupError):
                if pid:
                    os.kill(pid, signal.SIGCONT)
        process.kill()
        process.communicate()
        ends = time.monotonic() + DEADLINE_S
        while driver and _lives(driver) and time.monotonic() < ends:
            time.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
