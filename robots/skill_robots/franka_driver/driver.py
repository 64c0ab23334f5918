"""Driver: feeds the vendor's impedance law at 1 kHz from shared memory.

If the process that sends set-points dies or freezes, the feed brakes the arm and holds it. The
driver ends :data:`ORPHAN_S` after the death of its parent, after :data:`SILENT_S` without a
set-point, and when the connection to the robot is lost; then the robot holds by itself.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from math import inf

import numpy as np

from skill_robots.arm import ArmCommunicationError, ArmError
from skill_robots.franka.handshake import (
    FR3_VERSION,
    RobotStatus,
    clear_errors,
    robot_status,
)
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka_driver.config import DriverStart
from skill_robots.franka_driver.feed import CYCLE_S, ReferenceFeed
from skill_robots.franka_driver.records import (
    DriverState,
    Phase,
    SharedRecords,
    StopClass,
    Word,
    now,
)
from skill_robots.franka_driver.robot import (
    MODE_TEXTS,
    RobotCommandError,
    RobotLinkError,
    Snapshot,
    StartCheckError,
    VendorRobot,
    check_end_effector,
    check_status,
    class_of,
    text_of,
    thresholds_text,
)
from skill_robots.franka_driver.scheduling import Delays, configure_driver
from skill_robots.motion.braking import BrakingPlanner

ORPHAN_S = 1.0
"""The driver ends this long after its parent's death [s]; the arm is at rest much earlier."""

SILENT_S = 60.0
"""The driver ends when it has held the arm for this time without a set-point, if there was one
before [s]. A robot that has stopped itself may wait longer for its operator."""

RECOVERY_SETTLE_S = 0.5
"""Longest wait for the mode Idle after an error recovery [s]."""

LONGEST_CATCH_UP_S = 0.005
"""After a longer delay the next cycle is due one period from now [s]."""

CLEAR_REMEDY = "look at the robot, then clear the fault again ('clear')"
"""Remedy for errors that a recovery may not clear."""


def check_server(start: DriverStart, records: SharedRecords) -> None:
    """Checks that the server still runs and has not asked for the end.

    Raises:
        StartCheckError: the parent is dead, or has asked for the end.
    """
    if records.words[Word.ENDING] != 0 or os.getppid() != start.parent:
        raise StartCheckError("the server has ended")


def connect(start: DriverStart, records: SharedRecords) -> tuple[VendorRobot, list[str]]:
    """Checks the robot's mode, clears its errors if that is allowed, and connects to it.

    Args:
        start: settings.
        records: the shared memory.

    Returns:
        The robot, through the library of its version, and remarks for the user.

    Raises:
        StartCheckError: the robot cannot move now, or the server has ended.
        RobotLinkError: the connection is refused or lost.
        RobotCommandError: the robot does not recover.
    """
    address, version = start.address, start.version
    remarks: list[str] = []
    try:
        status = robot_status(address, version)
        if check_status(status, start.config):
            check_server(start, records)
            clear_errors(address, version)
            remarks.append(f"errors cleared: {text_of(status.errors, RobotMode(status.mode))}")
    except ArmCommunicationError as error:
        raise RobotLinkError(str(error)) from None
    except ArmError as error:
        raise RobotCommandError(str(error)) from None
    robot: VendorRobot
    if version == FR3_VERSION:
        from skill_robots.franka_driver.fr3 import Fr3

        robot = Fr3(address, start.stiffness, start.damping)
    else:
        from skill_robots.franka_driver.fer import Fer

        robot = Fer(address, start.stiffness, start.damping)
    # After the connection: libfranka changes the scheduling of the thread that connects.
    return robot, [*remarks, *configure_driver(locked=start.realtime)]


class Driver:
    """Feeds one robot until it is asked to end, or its parent dies.

    Args:
        start: settings.
        records: the shared memory.
    """

    def __init__(self, start: DriverStart, records: SharedRecords) -> None:
        self._robot: VendorRobot | None = None
        self._start = start
        self._config = start.config
        self._records = records
        self._parent = start.parent
        planner = BrakingPlanner(start.braking_limit, start.jerk_limit, start.servo_period_s)
        self._feed = ReferenceFeed(start.velocity_limit, start.acceleration_limit, planner)
        self._snapshot: Snapshot | None = None
        self._received_s = now()
        self._stop = StopClass.NOT_STOPPED
        self._stops = 0
        # Set-points and requests that an earlier driver has had are not for this one.
        self._seen = records.reference_version
        self._recovered = records.words[Word.RECOVERY_ASKED]
        self._delays = Delays()
        self._held_since_s = 0.0
        self._orphan_s = inf
        """When the parent was found to be dead."""
        self._deaf = False
        """Whether set-points are ignored, because the driver is about to end."""
        self._lost: str | None = None
        """Why the connection was lost."""

    # The start ----------------------------------------------------------------------------------

    def begin(self) -> list[str]:
        """Connects to the robot, checks it, and starts the law at the measured pose.

        Returns:
            Remarks for the user.

        Raises:
            StartCheckError, RobotCommandError, RobotLinkError: the robot cannot be moved.
        """
        config = self._config
        self._robot, remarks = connect(self._start, self._records)
        remarks += check_end_effector(self._connected.end_effector(), config)
        remarks.append(thresholds_text(config))
        check_server(self._start, self._records)  # a recovery takes up to 16 s
        self._hold(self._connected)
        return remarks

    @property
    def _connected(self) -> VendorRobot:
        assert self._robot is not None  # made by begin()
        return self._robot

    def _hold(self, robot: VendorRobot) -> None:
        """Sets thresholds and payload, and starts the law at the measured pose."""
        robot.configure(self._config)
        self._feed.hold(robot.start())
        self._held_since_s = now()
        self._stop = StopClass.NOT_STOPPED

    # The cycle ----------------------------------------------------------------------------------

    def run(self) -> str:
        """Cycles until the end, and returns its reason."""
        deadline = now() + CYCLE_S
        while (reason := self._end_reason()) is None:
            left = deadline - now()
            if left > 0.0:
                time.sleep(left)
            late = now() - deadline
            self._delays.add(late)
            deadline = deadline + CYCLE_S if late < LONGEST_CATCH_UP_S else now() + CYCLE_S
            self.cycle()
        self._finish()
        return reason

    def cycle(self) -> None:
        """Runs one millisecond."""
        try:
            self._follow()
            self._measure()
            self._recover_if_asked()
        except (RobotLinkError, RobotCommandError) as error:
            # The vendors' objects cannot be given up: their destructors end the process.
            self._lost = f"the connection to the robot is lost: {error}"
            self._feed.stop()
        self._publish()

    def _follow(self) -> None:
        """Gives the law its reference."""
        version = self._records.reference_version
        if version != self._seen and self._snapshot is not None and not self._deaf:
            setpoint = self._records.read_reference()
            if setpoint is not None:
                self._seen = version
                self._feed.offer(setpoint, self._snapshot.position, self._snapshot.velocity)
        if self._feed.phase is not Phase.STOPPED:
            self._connected.feed(*self._feed.advance(now()))

    def _measure(self) -> None:
        """Reads the robot, and finds out whether it has stopped by itself."""
        robot = self._connected
        runs = self._feed.phase is not Phase.STOPPED
        ended = robot.has_ended() if runs else None
        if ended is not None:
            self._feed.stop()
            self._note_stop(robot, ended)
        snapshot = robot.read()
        if self._snapshot is None or snapshot.time_ms != self._snapshot.time_ms:
            self._snapshot, self._received_s = snapshot, now()

    def _note_stop(self, robot: VendorRobot, ended: str) -> None:
        """Records why the law has ended."""
        mode, errors = robot.read().mode, robot.errors()
        self._stops += 1
        text = text_of(errors, mode) if errors or mode in MODE_TEXTS else ended
        self._note(class_of(errors, mode), text, *errors)

    # Recovery -----------------------------------------------------------------------------------

    def _recover_if_asked(self) -> None:
        asked = self._records.words[Word.RECOVERY_ASKED]
        if asked == self._recovered:
            return
        try:
            if self._feed.phase is Phase.STOPPED:
                self._recover()
        except StartCheckError as error:
            self._note(error.stop, str(error))
        except RobotCommandError as error:
            self._note(StopClass.OTHER, f"the robot has not recovered: {error}")
        finally:
            self._recovered = asked
            self._publish()
            self._records.words[Word.RECOVERY_DONE] = asked

    def _recover(self) -> None:
        """Clears the robot's errors and starts the law at the measured pose.

        The caller of ``FrankaArm.recover`` has agreed to clear the stop that the state reports. A
        stop for lack of commands needs no operator, so another error that has followed it is
        reported, not cleared.

        Raises:
            StartCheckError, RobotCommandError: the robot does not move again.
        """
        robot = self._connected
        is_agreed = self._stop is not StopClass.COMMUNICATION
        config = replace(self._config, recover_at_start=is_agreed)
        status = RobotStatus(robot.read().mode, robot.errors())
        if check_status(status, config, remedy=CLEAR_REMEDY):
            robot.recover()
        ends = now() + RECOVERY_SETTLE_S
        while robot.errors() and now() < ends:
            time.sleep(0.005)
        # A user stop or a restart of the robot resets thresholds and payload.
        self._hold(robot)
        self._snapshot, self._received_s = robot.read(), now()

    def _note(self, stop: StopClass, *texts: str) -> None:
        """Records the class and the reasons of a stop."""
        if (stop, *texts) != (self._stop, *self._records.stop.read()):
            self._records.stop.write(*texts)
            _log(f"the robot has stopped: {texts[0]}")
        self._stop = stop

    # The records --------------------------------------------------------------------------------

    def _publish(self) -> None:
        snapshot, feed = self._snapshot, self._feed
        if snapshot is None:
            return
        self._records.write_state(
            DriverState(
                robot_ms=snapshot.time_ms,
                received_s=self._received_s,
                mode=snapshot.mode,
                phase=feed.phase,
                stop=self._stop,
                accepted=feed.accepted,
                late_setpoints=feed.late_setpoints,
                stops=self._stops,
                success_rate=snapshot.success_rate,
                lateness_s=self._delays.longest_s,
                position=snapshot.position,
                velocity=snapshot.velocity,
                reference_position=feed.position,
                reference_velocity=feed.velocity,
            )
        )

    # The end ------------------------------------------------------------------------------------

    def _end_reason(self) -> str | None:
        """Returns why the driver must end now; None if it goes on."""
        if self._lost is not None:
            return self._lost
        time_s, feed = now(), self._feed
        ending = self._records.words[Word.ENDING] != 0
        if self._orphan_s == inf and os.getppid() != self._parent:
            self._orphan_s = time_s
        if ending or self._orphan_s < inf:
            self._deaf = True
            feed.brake(time_s)
        at_rest = feed.phase in (Phase.HOLDING, Phase.STOPPED)
        if ending and at_rest:
            return "the driver has ended: it was asked to end"
        if at_rest and time_s - self._orphan_s > ORPHAN_S:
            return "the driver has ended: its parent has died"
        holds = feed.accepted and feed.phase is Phase.HOLDING
        if holds and time_s - max(feed.last_s, self._held_since_s) > SILENT_S:
            return f"the driver has ended: it had no set-point for {SILENT_S:g} s"
        return None

    def _finish(self) -> None:
        """Ends the law; the robot holds by itself."""
        if self._feed.phase is Phase.STOPPED:
            return
        try:
            self._connected.feed(self._feed.position, np.zeros(7))
            self._connected.finish()
        except (RobotLinkError, RobotCommandError) as error:
            _log(f"the impedance law did not end well: {error}")


def _log(text: str) -> None:
    print(f"driver: {text}", file=sys.stderr, flush=True)  # noqa: T201  the server's log
