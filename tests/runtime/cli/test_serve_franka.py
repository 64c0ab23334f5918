"""skill-serve with a real arm: a simulated control box, the vendors' libraries, real processes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.robots.franka_driver.rig import Robot, control_box
from tests.support.children import children_with
from tests.support.served import DEADLINE_S, state_when, tracking
from tests.support.served_process import Process, is_alive, process

from skill_proto.messages import Telemetry
from skill_runtime.client import CommandRefusedError, LeaseLostError, SkillClient

CSF = str(Path(__file__).parents[3] / "models" / "csf_panda.onnx")

ROBOTS: tuple[Robot, ...] = ("fer", "fr3")
NAMES = {"fer": "panda", "fr3": "fr3"}
ADDRESSES = {"fer": "127.86.2.5", "fr3": "127.86.2.10"}

START = ("--start", "low")
"""The box begins over the table, as in training."""

both_robots = pytest.mark.parametrize("robot", ROBOTS)


def arguments(robot: Robot, *more: str) -> tuple[str, ...]:
    return ("--model", CSF, "--arm", "franka", "--address", ADDRESSES[robot], "--realtime", *more)


def speed_of(state: Telemetry) -> float:
    return max(abs(value or 0.0) for value in state.joint_velocity)


def swing(client: SkillClient, seconds: float) -> None:
    """Moves joint 1 to and fro; a communication fault of a busy machine ends by itself."""
    centre = [value or 0.0 for value in client.state().joint_position]
    ends, side = time.monotonic() + seconds, 1.0
    while time.monotonic() < ends:
        try:
            client.servo_joint([centre[0] + 0.3 * side, *centre[1:]], valid_for_s=1.0)
        except CommandRefusedError as error:
            if error.code != "not_now":
                raise
        side = -side
        time.sleep(0.4)


def swing_until_it_moves(client: SkillClient) -> None:
    """Swings, again after each fault of a busy machine; fails the test after a timeout."""
    before = client.state()
    ends = time.monotonic() + DEADLINE_S
    while moved_rad(client.state(), before) < 0.05:
        assert time.monotonic() < ends, f"never moved; the last state was {client.state()}"
        swing(client, 0.8)


def moved_rad(state: Telemetry, before: Telemetry) -> float:
    """Returns how far the joint that has moved farthest is from its place in another state."""
    pairs = zip(state.joint_position, before.joint_position, strict=True)
    return max(abs((now or 0.0) - (then or 0.0)) for now, then in pairs)


def run_skill(client: SkillClient, wanted: Callable[[Telemetry], bool]) -> None:
    """Runs a skill until a state meets the condition.

    A busy machine may cause a fault that ends by itself; the skill is commanded again after it.
    """
    ends = time.monotonic() + DEADLINE_S
    while not wanted(state := client.state()):
        assert time.monotonic() < ends, f"never reached; the last state was {state}"
        if state.mode != "skill":
            try:
                client.skill([1, 0], valid_for_s=60.0)
            except CommandRefusedError as error:
                if error.code != "not_now":
                    raise
        time.sleep(0.05)


def driver_of(running: Process) -> psutil.Process:
    """Returns the driver, which the controller starts before the hand's process."""
    controller = running.processes()["controller"]
    return children_with("-m skill_robots.franka_driver", controller.pid)[0]


@both_robots
def test_a_policy_moves_a_robot_once_a_tracker_sends_the_cube(robot: Robot, tmp_path: Path) -> None:
    with (
        control_box(robot, ADDRESSES[robot], tmp_path, *START) as box,
        process(*arguments(robot, "--speed", "0.5")) as running,
        running.client() as client,
    ):
        with client.acquire("me", ttl_s=30):
            server = client.server
            assert (server.robot, server.backend, server.simulated) == (
                NAMES[robot],
                "franka",
                False,
            )
            assert server.speed == 0.5
            with pytest.raises(CommandRefusedError, match="no pose of 'cube' has arrived yet"):
                client.skill([1, 0])
            state = client.state()
            assert (state.mode, state.scene, state.awaited_objects) == ("hold", None, ("cube",))
            assert state.connection is not None
            with tracking(running.address):
                state_when(client, lambda state: not state.awaited_objects)
                before = client.state()
                run_skill(client, lambda state: state.policy_steps > before.policy_steps + 10)
                run_skill(client, lambda state: moved_rad(state, before) > 0.02)
                with suppress(CommandRefusedError):  # in a fault, which ends in the same mode
                    client.hold()
                state_when(client, lambda state: state.mode == "hold")
            with pytest.raises(CommandRefusedError, match="needs a simulated arm"):
                client.reset()
        client.stop("enough")
        assert state_when(client, lambda state: state.mode == "stopped").connection is not None
        code, output = running.end()
        assert code == 0, output
        assert "note       the robot stops itself at 150 N" in output
        assert "the policy waits for the pose of 'cube'" in output
        if robot == "fr3":
            assert "trained on the robot 'panda', this arm is 'fr3'" in output
            assert "joint acceleration in training 15/7.5/10" in output
        reflexes = box.end()["reflexes"]
        assert isinstance(reflexes, dict)
        assert set(reflexes) <= {"communication_constraints_violation"}  # of a busy machine


def test_a_user_stop_is_a_fault_with_its_name_until_clear(tmp_path: Path) -> None:
    with (
        control_box("fer", ADDRESSES["fer"], tmp_path, *START) as box,
        process(*arguments("fer")) as running,
        running.client() as client,
    ):
        state_when(client, lambda state: state.mode == "hold")
        box.signal(signal.SIGUSR1)
        state = state_when(client, lambda state: state.fault == "arm")
        assert "user stop" in state.last_event
        time.sleep(0.5)
        with pytest.raises(CommandRefusedError, match="user stop"):
            client.acquire("me")
        box.signal(signal.SIGUSR2)
        ends = time.monotonic() + DEADLINE_S
        while client.state().mode != "hold":
            with suppress(CommandRefusedError):  # the robot takes a moment
                client.clear()
            assert time.monotonic() < ends
            time.sleep(0.5)
        with client.acquire("me", ttl_s=30):
            client.servo_pose([0.0, 0.0, 0.15], valid_for_s=10.0)
            state_when(client, lambda state: speed_of(state) > 0.05)
        code, output = running.end()
        assert code == 0, output


@both_robots
def test_lost_packets_are_a_fault_that_ends_by_itself(robot: Robot, tmp_path: Path) -> None:
    """The robot stops itself after 20 missed packets; the server clears this error only."""
    with (
        control_box(robot, ADDRESSES[robot], tmp_path, *START) as box,
        process(*arguments(robot)) as running,
        running.client() as client,
        client.acquire("me", ttl_s=60),
    ):
        state_when(client, lambda state: state.mode == "hold")
        driver = driver_of(running)
        driver.suspend()
        time.sleep(0.1)
        driver.resume()
        state_when(client, lambda state: state.fault == "communication")
        state = state_when(client, lambda state: state.mode == "hold")
        assert state.lease_holder == "me"
        assert state.connection is not None
        assert state.connection.last_reflex == ("communication_constraints_violation",)
        assert state.counters["recoveries"] >= 1
        assert state.counters.get("clears", 0) == 0
        swing_until_it_moves(client)
        code, output = running.end()
        assert code == 0, output
        assert "communication_constraints_violation" in str(box.end()["reflexes"])


@pytest.mark.slow
@both_robots
def test_a_controller_that_is_killed_leaves_a_robot_that_the_next_server_moves(
    robot: Robot, tmp_path: Path
) -> None:
    with control_box(robot, ADDRESSES[robot], tmp_path, *START) as box:
        with (
            process(*arguments(robot)) as running,
            running.client() as client,
            client.acquire("me", ttl_s=30),
        ):
            swing(client, 1.0)
            driver = driver_of(running)
            running.processes()["controller"].kill()
            assert running.wait() == 1
        with process(*arguments(robot)) as again, again.client() as client:
            with client.acquire("me", ttl_s=30):
                assert driver_of(again).pid != driver.pid
                swing(client, 1.0)
            assert client.state().counters.get("faults.arm", 0) == 0
            code, output = again.end()
            assert code == 0, output
        assert not is_alive(driver)
        assert box.end()["reflexes"] == {}


@pytest.mark.slow
def test_a_supervisor_that_is_killed_leaves_a_robot_at_rest(tmp_path: Path) -> None:
    with (
        control_box("fer", ADDRESSES["fer"], tmp_path, *START) as box,
        process(*arguments("fer")) as running,
        running.client() as client,
        client.acquire("me", ttl_s=30),
    ):
        swing(client, 1.0)
        children = [running.processes()["controller"], driver_of(running)]
        running.popen.kill()
        ends = time.monotonic() + DEADLINE_S
        while any(map(is_alive, children)):
            assert time.monotonic() < ends
            time.sleep(0.05)
        assert box.end()["reflexes"] == {}


@pytest.mark.slow
def test_a_driver_that_is_killed_is_a_fault_and_clear_starts_it_again(tmp_path: Path) -> None:
    with (
        control_box("fer", ADDRESSES["fer"], tmp_path, *START),
        process(*arguments("fer")) as running,
        running.client() as client,
    ):
        with client.acquire("me", ttl_s=30):
            swing(client, 0.5)
            driver = driver_of(running)
            driver.kill()
            state = state_when(client, lambda state: state.fault == "arm")
            assert "SIGKILL" in state.last_event
        client.clear()
        # The robot starts again in some seconds, and does not answer meanwhile.
        state_when(client, lambda state: state.mode == "hold" and state.fault is None)
        ends = time.monotonic() + DEADLINE_S
        while True:
            # The fault for the silence may come a moment after 'clear'.
            refused = suppress(CommandRefusedError, LeaseLostError)
            with refused, client.acquire("me again", ttl_s=30):
                swing(client, 1.0)
                if speed_of(client.state()) > 0.02:
                    break
            assert time.monotonic() < ends
            time.sleep(0.1)
        assert driver_of(running).pid != driver.pid
        code, output = running.end()
        assert code == 0, output
