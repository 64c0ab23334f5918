"""Recoveries of a robot that has stopped itself: the server and its operator permit them."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.robots.franka_driver.rig import Server, connected, control_box, until_raised

from skill_proto.arrays import Array
from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_robots.arm import ArmError
from skill_robots.franka.handshake import robot_status
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka.specs import PANDA
from skill_robots.franka_driver import driver as driver_module
from skill_robots.franka_driver.config import DriverConfig, DriverStart
from skill_robots.franka_driver.driver import Driver, connect
from skill_robots.franka_driver.records import BYTES, Phase, SharedRecords, StopClass, Word
from skill_robots.franka_driver.robot import (
    COMMUNICATION,
    EndEffector,
    Snapshot,
    StartCheckError,
    VendorRobot,
)

ADDRESS = "127.13.5.10"

C = np.sqrt(0.5)
HAND = EndEffector(
    frame=np.array([[C, C, 0, 0], [-C, C, 0, 0], [0, 0, 1, 0.1034], [0, 0, 0, 1]], dtype=float),
    mass_kg=0.73,
    center_m=(-0.01, 0.0, 0.03),
)


class StoppableRobot:
    """A robot at rest that stops with the errors that a test names.

    The control box has no contact without a motion, so a contact after a communication stop needs
    this robot.
    """

    def __init__(self) -> None:
        self.present: tuple[str, ...] = ()
        self.recoveries = self.starts = 0
        self._runs = False
        self._time_ms = 0

    def stop(self, *errors: str) -> None:
        """Stops the law, or adds errors to a stop."""
        self.present, self._runs = errors, False

    def end_effector(self) -> EndEffector:
        """Returns that of the Franka Hand."""
        return HAND

    def configure(self, config: DriverConfig) -> None:
        """Accepts all settings."""

    def start(self) -> Array:
        """Starts at zero."""
        self.starts += 1
        self._runs = True
        return np.zeros(7)

    def feed(self, position: Array, velocity: Array) -> None:
        """Rests."""

    def read(self) -> Snapshot:
        """Returns the state."""
        self._time_ms += 1
        mode = RobotMode.REFLEX if self.present else RobotMode.IDLE
        return Snapshot(self._time_ms, mode, np.zeros(7), np.zeros(7), 1.0)

    def has_ended(self) -> str | None:
        """Returns the text of libfranka."""
        return None if self._runs else "motion aborted by reflex"

    def errors(self) -> tuple[str, ...]:
        """Returns the errors."""
        return self.present

    def recover(self) -> None:
        """Clears them."""
        self.present = ()
        self.recoveries += 1

    def finish(self) -> None:
        """Ends the law."""


@pytest.fixture
def records() -> Generator[SharedRecords]:
    descriptor = create_memory(BYTES)
    yield SharedRecords(map_memory(descriptor))
    os.close(descriptor)


def start_of(address: str) -> DriverStart:
    """Returns settings for a driver in this process."""
    return DriverStart(
        address=address,
        version=10,
        memory=0,
        parent=os.getppid(),
        servo_period_s=0.005,
        realtime=False,
        config=DriverConfig(gripper=False),
        velocity_limit=PANDA.velocity_limit,
        acceleration_limit=PANDA.acceleration_limit,
        braking_limit=PANDA.deceleration_limit,
        jerk_limit=PANDA.jerk_limit,
        stiffness=PANDA.stiffness,
        damping=PANDA.damping,
    )


def driven(robot: StoppableRobot, records: SharedRecords) -> Driver:
    """Returns a driver that holds the robot."""
    driver = Driver(start_of("127.0.0.1"), records)
    driver._robot = robot
    driver._hold(robot)
    driver.cycle()
    return driver


def stop_of(records: SharedRecords) -> StopClass:
    """Returns the class of the stop in the driver's state."""
    state = records.read_state()
    assert state is not None
    return StopClass(state.stop)


def test_a_contact_after_a_communication_stop_needs_a_second_request(
    records: SharedRecords,
) -> None:
    robot = StoppableRobot()
    driver = driven(robot, records)
    robot.stop(COMMUNICATION)
    driver.cycle()
    assert stop_of(records) is StopClass.COMMUNICATION
    robot.stop(COMMUNICATION, "cartesian_reflex")
    records.words[Word.RECOVERY_ASKED] += 1  # as without an operator
    driver.cycle()
    assert robot.recoveries == 0
    assert stop_of(records) is StopClass.CONTACT
    (text,) = records.stop.read()
    assert "cartesian_reflex" in text
    assert "'clear'" in text
    assert "--recover" not in text
    assert records.words[Word.RECOVERY_DONE] == 1
    records.words[Word.RECOVERY_ASKED] += 1  # now the operator has seen the contact
    driver.cycle()
    assert robot.recoveries == 1
    assert stop_of(records) is StopClass.NOT_STOPPED


def test_a_communication_stop_alone_is_cleared(records: SharedRecords) -> None:
    robot = StoppableRobot()
    driver = driven(robot, records)
    robot.stop(COMMUNICATION)
    driver.cycle()
    records.words[Word.RECOVERY_ASKED] += 1
    driver.cycle()
    assert robot.recoveries == 1
    state = records.read_state()
    assert state is not None
    assert state.phase == Phase.HOLDING


@pytest.mark.parametrize("ends_by", ["request", "death"])
def test_the_law_does_not_start_for_a_server_that_has_ended_meanwhile(
    records: SharedRecords, monkeypatch: pytest.MonkeyPatch, ends_by: str
) -> None:
    """The server ends while the driver clears errors and connects, which takes up to 16 s."""
    robot = StoppableRobot()

    def connect_slowly(start: DriverStart, records: SharedRecords) -> tuple[VendorRobot, list[str]]:
        if ends_by == "request":
            records.words[Word.ENDING] = 1
        else:
            monkeypatch.setattr(os, "getppid", lambda: start.parent + 1)
        return robot, []

    monkeypatch.setattr(driver_module, "connect", connect_slowly)
    with pytest.raises(StartCheckError, match="the server has ended"):
        Driver(start_of("127.0.0.1"), records).begin()
    assert robot.starts == 0


def test_the_law_starts_for_a_server_that_runs(
    records: SharedRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot = StoppableRobot()
    monkeypatch.setattr(driver_module, "connect", lambda start, records: (robot, ["a remark"]))
    remarks = Driver(start_of("127.0.0.1"), records).begin()
    assert robot.starts == 1
    assert remarks[0] == "a remark"


def test_no_errors_are_cleared_for_a_server_that_has_ended(
    records: SharedRecords, tmp_path: Path
) -> None:
    with control_box("fr3", ADDRESS, tmp_path, "--scene", "none") as box:
        with connected(box, DriverConfig(gripper=False)) as arm:
            Server(arm, np.full(7, 0.1)).run(0.3)
            driver = arm._processes._driver
            assert driver is not None
            driver.send_signal(signal.SIGKILL)
            until_raised(arm, ArmError)
        assert robot_status(ADDRESS, 10).errors == (COMMUNICATION,)
        start = start_of(ADDRESS)
        with pytest.raises(StartCheckError, match="the server has ended"):
            connect(replace(start, parent=start.parent + 1), records)
        records.words[Word.ENDING] = 1
        with pytest.raises(StartCheckError, match="the server has ended"):
            connect(start, records)
        assert robot_status(ADDRESS, 10).errors == (COMMUNICATION,)
