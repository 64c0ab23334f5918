"""A FrankaArm with the vendors' libraries, on the simulated control box."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from tests.robots.franka_driver.rig import (
    DEADLINE_S,
    Box,
    Robot,
    Server,
    connected,
    control_box,
    until_connected,
    until_raised,
    until_readable,
)

from skill_robots.arm import (
    ArmCommunicationError,
    ArmContactError,
    ArmError,
    ArmState,
    JointTarget,
)
from skill_robots.franka_driver import franka_arm
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.franka_driver.franka_arm import FrankaArm
from skill_robots.franka_driver.records import Word

ROBOTS: tuple[Robot, ...] = ("fer", "fr3")
ADDRESSES = {"fer": "127.13.2.5", "fr3": "127.13.2.10"}

SWING = np.array([0.2, 0.1, 0.2, 0.2, 0.2, 0.2, 0.2])
TENDER = DriverConfig(
    collision_force_n=(12.0,) * 3 + (30.0,) * 3,
    contact_force_n=(10.0,) * 6,
)
"""Thresholds that a light press on the table exceeds."""

LOAD_OF: dict[Robot, str] = {
    "fer": "import sys; from panda_py import libfranka as library; "
    "print(library.Robot(sys.argv[1], library.RealtimeConfig.kIgnore).read_once().m_load)",
    "fr3": "import sys, franky; "
    "print(franky.Robot(sys.argv[1], realtime_config=franky.RealtimeConfig.Ignore).state.m_load)",
}
"""Programs that print the payload of a robot [kg]."""


@pytest.fixture(params=ROBOTS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    robot: Robot = request.param
    with control_box(robot, ADDRESSES[robot], tmp_path, "--scene", "none") as running:
        yield running


def press(arm: FrankaArm) -> None:
    """Lowers the end effector onto the table until the robot stops or 4 s have passed."""
    state = until_readable(arm)
    position = state.joint_position.copy()
    down = np.array([0.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0])  # joint 2 lowers the arm
    due = time.monotonic()
    for _ in range(800):
        # libfranka waits for the end of the motion, so a stop begins with a silence.
        with suppress(ArmCommunicationError):
            arm.read()
            position = position + down * arm.servo_period_s
            target = JointTarget(position=position, velocity=down, acceleration=0.0 * down)
            arm.command(target)
        due += arm.servo_period_s
        time.sleep(max(0.0, due - time.monotonic()))


def until_reflex(arm: FrankaArm) -> ArmState:
    """Waits until the driver has noticed that the robot has stopped itself."""
    ends = time.monotonic() + DEADLINE_S
    while (state := until_readable(arm)).connection is None or not state.connection.reflexes:
        assert time.monotonic() < ends
        time.sleep(0.002)
    return state


def until_recovered(arm: FrankaArm) -> None:
    """Asks for a recovery until the robot, which was released a moment ago, carries it out."""
    ends = time.monotonic() + DEADLINE_S
    while True:
        arm.recover()
        try:
            until_readable(arm)
        except ArmError:
            assert time.monotonic() < ends
            time.sleep(0.05)
        else:
            return


def test_it_follows_set_points(box: Box) -> None:
    with connected(box) as arm:
        server = Server(arm, SWING)
        start = server.state.joint_position
        times: list[float] = []
        server.run(4.0, lambda state: times.append(state.time_s))
        assert server.state.connection is not None
        assert server.state.connection.reflexes == 0
        assert np.ptp(np.array(times)) == pytest.approx(4.0, abs=0.3)
        moved = np.abs(server.state.joint_position - start).max()
        assert server.seats == 1 or server.refused > 0
        if server.refused == 0:  # the machine left time for every set-point
            assert moved < 0.01  # one whole swing
            assert np.sqrt(np.mean(np.square(server.errors))) < 0.02
            assert server.state.connection.success_rate == pytest.approx(1.0, abs=0.2)


def test_the_robot_names_its_type_and_payload(box: Box) -> None:
    with connected(box) as arm:
        assert arm.spec.name == ("panda" if box.robot == "fer" else "fr3")
        assert any("end effector 0.7" in remark for remark in arm.remarks)
        assert any("150 N" in remark for remark in arm.remarks)


def test_a_payload_of_another_program_does_not_stay_in_force(box: Box) -> None:
    def load_kg() -> float:
        command = [sys.executable, "-c", LOAD_OF[box.robot], box.address]
        return float(subprocess.run(command, check=True, capture_output=True).stdout)

    with connected(box, DriverConfig(gripper=False, load_mass_kg=0.3)):
        pass
    assert load_kg() == pytest.approx(0.3)
    with connected(box, DriverConfig(gripper=False)):
        pass
    assert load_kg() == 0.0


def test_without_set_points_it_holds_and_takes_them_again_from_there(box: Box) -> None:
    with connected(box) as arm:
        server = Server(arm, SWING)
        server.run(1.0)
        time.sleep(0.6)
        state = arm.read()
        assert np.abs(state.joint_velocity).max() < 0.02
        assert state.connection is not None
        assert state.connection.missed_setpoints >= 1
        assert state.connection.reflexes == 0
        ahead = server.setpoint + 0.05
        with pytest.raises(ArmCommunicationError, match="from where it holds"):
            arm.command(JointTarget(position=ahead, velocity=np.zeros(7), acceleration=np.zeros(7)))
        refused = server.refused
        server.run(1.0)
        assert server.refused > refused
        assert server.seats >= 2
        assert server.state.connection is not None
        assert server.state.connection.reflexes == 0


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_contact_stops_it_and_only_recover_moves_it_again(robot: Robot, tmp_path: Path) -> None:
    with (
        control_box(robot, ADDRESSES[robot], tmp_path, "--start", "low") as box,
        connected(box, TENDER) as arm,
    ):
        with pytest.raises(ArmContactError, match=r"cartesian_reflex|joint_reflex"):
            press(arm)
        for _ in range(50):  # nothing but recover() ends it
            time.sleep(0.005)
            with pytest.raises(ArmContactError):
                arm.read()
        driver = arm._processes._driver
        assert driver is not None
        driver.send_signal(signal.SIGSTOP)  # so that nobody carries the recovery out
        arm.recover()  # returns nevertheless
        words = arm._records.words
        assert words[Word.RECOVERY_ASKED] == words[Word.RECOVERY_DONE] + 1
        with pytest.raises(ArmCommunicationError, match="recovers"):
            arm.read()
        driver.send_signal(signal.SIGCONT)
        state = until_readable(arm)
        assert state.connection is not None
        assert state.connection.reflexes == 1
        assert "cartesian_reflex" in state.connection.last_reflex
        Server(arm, 0.0 * SWING).run(0.3)


def test_the_user_stop_is_an_error_until_it_is_released_and_recovered(box: Box) -> None:
    with connected(box) as arm:
        Server(arm, SWING).run(0.5)
        box.signal(signal.SIGUSR1)
        error = until_raised(arm, ArmError)
        assert "user stop" in str(error)
        arm.recover()
        time.sleep(0.2)
        assert "user stop" in str(until_raised(arm, ArmError))
        box.signal(signal.SIGUSR2)
        until_recovered(arm)
        Server(arm, SWING).run(0.5)


def test_a_frozen_driver_is_a_matter_of_communication_and_recovers(box: Box) -> None:
    with connected(box) as arm:
        Server(arm, SWING).run(0.5)
        driver = arm._processes._driver
        assert driver is not None
        driver.send_signal(signal.SIGSTOP)
        time.sleep(0.06)
        with pytest.raises(ArmCommunicationError, match="no state for"):
            arm.read()
        driver.send_signal(signal.SIGCONT)
        state = until_reflex(arm)
        assert state.connection is not None
        assert state.connection.last_reflex == ("communication_constraints_violation",)
        target = JointTarget(
            position=state.joint_position, velocity=np.zeros(7), acceleration=np.zeros(7)
        )
        with pytest.raises(ArmCommunicationError, match="communication_constraints_violation"):
            arm.command(target)
        arm.recover()
        Server(arm, SWING).run(0.5)


def test_a_killed_driver_is_noticed_and_started_again(box: Box) -> None:
    with connected(box) as arm:
        Server(arm, SWING).run(0.5)
        driver = arm._processes._driver
        assert driver is not None
        driver.kill()
        error = until_raised(arm, ArmError)
        assert "SIGKILL" in str(error)
        arm.recover()
        until_readable(arm)
        Server(arm, SWING).run(0.5)


def test_a_driver_that_is_started_again_runs_on_the_processors_of_the_start(tmp_path: Path) -> None:
    cpus = os.sched_getaffinity(0)
    if len(cpus) < 2:
        pytest.skip("needs two processors")
    with (
        control_box("fr3", ADDRESSES["fr3"], tmp_path, "--scene", "none") as box,
        connected(box, DriverConfig(gripper=False)) as arm,
    ):
        driver = arm._processes._driver
        assert driver is not None
        driver.kill()
        until_raised(arm, ArmError)
        os.sched_setaffinity(0, {min(cpus)})  # as the control loop with --cpu
        try:
            arm.recover()
        finally:
            os.sched_setaffinity(0, cpus)
        until_readable(arm)
        driver = arm._processes._driver
        assert driver is not None
        assert os.sched_getaffinity(driver.pid) == cpus


def test_a_close_gives_up_a_restart(box: Box) -> None:
    with connected(box) as arm:
        processes = arm._processes
        killed = processes._driver
        assert killed is not None
        killed.kill()
        until_raised(arm, ArmError)
        box.signal(signal.SIGSTOP)  # a robot that does not answer keeps the start waiting
        arm.recover()
        ends = time.monotonic() + DEADLINE_S
        while processes._driver is killed:
            assert time.monotonic() < ends
            time.sleep(0.005)
        arm.close()
        assert arm._restart_error == "the server has ended"  # not that the robot was not ready
        assert processes._driver.returncode is not None
        with pytest.raises(ArmError, match="the server has ended"):
            processes.start()
        assert arm._records.words[Word.ENDING] == 1


def test_recover_without_an_error_has_no_effect(box: Box) -> None:
    with connected(box) as arm:
        server = Server(arm, SWING)
        server.run(0.3)
        arm.recover()
        arm.read()
        server.run(0.3)


def test_a_close_while_it_moves_is_a_soft_stop(box: Box) -> None:
    arm = until_connected(box.address)
    Server(arm, 3.0 * SWING).run(0.8)
    driver = arm._processes._driver
    assert driver is not None
    arm.close()
    assert driver.returncode == 0  # it has ended by itself, in time
    assert box.end()["reflexes"] == {}


def test_a_robot_that_stopped_is_refused_at_the_start(tmp_path: Path) -> None:
    address = ADDRESSES["fr3"]
    with control_box("fr3", address, tmp_path, "--start", "low") as box:
        with connected(box, TENDER) as arm, pytest.raises(ArmContactError):
            press(arm)
        with pytest.raises(ArmError, match=r"cartesian_reflex.*--recover"):
            FrankaArm.connect(address)
        config = DriverConfig(recover_at_start=True)
        with connected(box, config) as arm:
            assert any("errors cleared" in remark for remark in arm.remarks)
            until_readable(arm)


def test_a_pressed_user_stop_is_named_at_the_start(box: Box) -> None:
    with connected(box):
        pass
    box.signal(signal.SIGUSR1)
    time.sleep(0.1)
    with pytest.raises(ArmError, match="user stop is pressed"):
        FrankaArm.connect(box.address)


def test_two_arms_at_once(tmp_path: Path) -> None:
    with (
        control_box("fer", ADDRESSES["fer"], tmp_path, "--scene", "none") as one,
        control_box("fr3", ADDRESSES["fr3"], tmp_path, "--scene", "none") as other,
        connected(one) as panda,
        connected(other) as fr3,
    ):
        first, second = Server(panda, SWING), Server(fr3, -SWING)
        for _ in range(100):
            first.tick()
            second.tick()
            time.sleep(0.005)
        for server in (first, second):
            assert server.state.connection is not None
            assert server.state.connection.reflexes == 0


@pytest.mark.parametrize("rate", [80.0, 1001.0, float("nan")])
def test_a_rate_out_of_range_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="servo_rate_hz must be"):
        FrankaArm.connect("127.13.2.99", servo_rate_hz=rate)


@pytest.mark.parametrize(("version", "package"), [(5, "panda-python"), (10, "franky-control")])
def test_a_missing_package_is_named(
    version: int, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(franka_arm, "server_version", lambda address: version)
    monkeypatch.setattr(franka_arm, "find_spec", lambda module: None)
    with pytest.raises(ArmError, match=rf"version {version} .*{package}.*pip install"):
        FrankaArm.connect("127.13.2.99")


def test_nobody_listens() -> None:
    with pytest.raises(ArmCommunicationError, match="activate FCI"):
        FrankaArm.connect("127.13.2.99")


def test_no_process_is_left(box: Box) -> None:
    with connected(box) as arm:
        pids = [
            process.pid for process in (arm._processes._driver, arm._processes._hand) if process
        ]
        assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
