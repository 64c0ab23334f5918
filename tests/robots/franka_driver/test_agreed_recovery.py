"""An error that needs an operator is cleared only after the arm has reported it."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest

from skill_robots.arm import ArmCommunicationError, ArmContactError, ArmError, JointTarget
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka.specs import PANDA
from skill_robots.franka_driver.children import DriverProcesses
from skill_robots.franka_driver.config import DriverStart
from skill_robots.franka_driver.franka_arm import FrankaArm
from skill_robots.franka_driver.records import DriverState, HandState, Phase, StopClass, Word, now
from skill_robots.franka_driver.robot import COMMUNICATION

STILL = np.zeros(7)


def never(memory: int, parent: int, recover: bool) -> DriverStart:
    """Is not called: no process starts."""
    raise NotImplementedError


class FakeProcesses(DriverProcesses):
    """A driver whose records and end a test writes.

    Attributes:
        end: how the driver has ended; None while it runs.
        starts: whether each start may clear errors of the robot.
    """

    def __init__(self) -> None:
        super().__init__(never, None)
        self.end: str | None = None
        self.starts: list[bool] = []
        self.killed_hands = 0

    @property
    def ended(self) -> str | None:
        return self.end

    def start(self, *, recover: bool = False) -> None:
        self.starts.append(recover)
        self.end = None

    def kill_hand(self) -> None:
        self.killed_hands += 1

    def write(self, stop: StopClass, *texts: str, age_s: float = 0.0) -> None:
        """Writes a state of this age [s], and the reasons of a stop."""
        self.records.stop.write(*texts)
        stopped = stop is not StopClass.NOT_STOPPED
        self.records.write_state(
            DriverState(
                robot_ms=1,
                received_s=now() - age_s,
                mode=RobotMode.REFLEX if stopped else RobotMode.MOVE,
                phase=Phase.STOPPED if stopped else Phase.HOLDING,
                stop=stop,
                accepted=0,
                late_setpoints=0,
                stops=int(stopped),
                success_rate=1.0,
                lateness_s=0.0,
                position=STILL,
                velocity=STILL,
                reference_position=STILL,
                reference_velocity=STILL,
            )
        )

    @property
    def asked(self) -> int:
        """Recoveries that the driver was asked for and has not ended."""
        words = self.records.words
        return words[Word.RECOVERY_ASKED] - words[Word.RECOVERY_DONE]


@pytest.fixture
def processes() -> Generator[FakeProcesses]:
    made = FakeProcesses()
    yield made
    made.close()


@pytest.fixture
def arm(processes: FakeProcesses) -> FrankaArm:
    return FrankaArm(PANDA, 0.005, processes, set())


def lose_commands(arm: FrankaArm, processes: FakeProcesses) -> None:
    """Runs one servo period of a robot that has stopped for lack of commands."""
    processes.write(StopClass.COMMUNICATION, COMMUNICATION, COMMUNICATION)
    arm.read()
    with pytest.raises(ArmCommunicationError, match=COMMUNICATION):
        arm.command(JointTarget(position=STILL, velocity=STILL, acceleration=STILL))


def finish_restart(arm: FrankaArm) -> None:
    """Waits for the thread of a restart."""
    if arm._restart is not None:
        arm._restart.join()


def test_a_driver_that_ends_in_the_tick_of_an_automatic_recovery_waits_for_an_operator(
    arm: FrankaArm, processes: FakeProcesses
) -> None:
    lose_commands(arm, processes)
    processes.end = "the driver process was ended by SIGKILL"
    arm.recover()  # by itself, for the communication fault
    finish_restart(arm)
    assert processes.starts == []
    processes.write(StopClass.COMMUNICATION, COMMUNICATION, COMMUNICATION, age_s=0.01)
    with pytest.raises(ArmError, match=r"SIGKILL; 'clear' starts it again") as caught:
        arm.read()
    assert caught.value.kind == "arm"
    arm.recover()  # now an operator has sent 'clear'
    finish_restart(arm)
    assert processes.starts == [True]


def test_a_contact_in_the_tick_of_an_automatic_recovery_waits_for_an_operator(
    arm: FrankaArm, processes: FakeProcesses
) -> None:
    processes.write(StopClass.NOT_STOPPED)
    arm.read()
    processes.write(StopClass.CONTACT, "cartesian_reflex", "cartesian_reflex")
    arm.recover()
    assert processes.asked == 0
    with pytest.raises(ArmContactError, match="cartesian_reflex"):
        arm.read()
    arm.recover()
    assert processes.asked == 1


def test_a_stop_for_lack_of_commands_needs_no_operator(
    arm: FrankaArm, processes: FakeProcesses
) -> None:
    lose_commands(arm, processes)
    arm.recover()
    assert processes.asked == 1


def test_a_gripper_that_hangs_in_the_tick_of_an_automatic_recovery_waits_for_an_operator(
    arm: FrankaArm, processes: FakeProcesses
) -> None:
    processes.records.write_hand_state(HandState(0.04, 0.08, now(), False, False))
    lose_commands(arm, processes)
    processes.records.write_hand_state(HandState(0.04, 0.08, now() - 2.0, False, False))
    arm.recover()
    finish_restart(arm)
    assert (processes.starts, processes.killed_hands) == ([], 0)
    processes.write(StopClass.NOT_STOPPED)
    with pytest.raises(ArmError, match="the gripper sends no states; 'clear' starts it again"):
        arm.read()
    arm.recover()
    finish_restart(arm)
    assert (processes.starts, processes.killed_hands) == ([True], 1)


def test_an_error_that_has_ended_is_no_consent_to_the_next_one(
    arm: FrankaArm, processes: FakeProcesses
) -> None:
    processes.write(StopClass.CONTACT, "cartesian_reflex", "cartesian_reflex")
    with pytest.raises(ArmContactError):
        arm.read()
    processes.write(StopClass.NOT_STOPPED)
    arm.read()
    processes.write(StopClass.OTHER, "power_limit_violation", "power_limit_violation")
    arm.recover()
    assert processes.asked == 0


def test_a_contact_stays_one_while_the_driver_writes_its_state(
    arm: FrankaArm, processes: FakeProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.write(StopClass.NOT_STOPPED)
    arm.read()
    processes.write(StopClass.CONTACT, "cartesian_reflex", "cartesian_reflex")
    with pytest.raises(ArmContactError):
        arm.read()
    monkeypatch.setattr(processes.records, "read_state", lambda: None)
    with pytest.raises(ArmContactError):
        arm.read()
    arm.recover()
    assert processes.asked == 1
