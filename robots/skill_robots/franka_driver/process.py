"""The driver's process: feeds the vendor's impedance law at 1 kHz from shared memory.

The arm's process starts it with descriptors and settings (:class:`DriverStart`). If that process
dies or freezes, set-points fail to come, and the feed brakes the arm and holds it. The driver ends
:data:`ORPHAN_S` after the death of its parent, and after :data:`SILENT_S` without a set-point;
then the robot holds by itself.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

import numpy as np

from skill_proto.arrays import Array
from skill_proto.shared_memory.memory import map_memory
from skill_robots.franka.handshake import FR3_VERSION
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.franka_driver.feed import CYCLE_S, ReferenceFeed
from skill_robots.franka_driver.records import (
    DriverState,
    Phase,
    SharedRecords,
    Status,
    StopClass,
    Word,
    now,
)
from skill_robots.franka_driver.robot import (
    RobotCommandError,
    RobotLinkError,
    Snapshot,
    StartCheckError,
    VendorRobot,
    check_end_effector,
    check_mode,
    class_of,
    text_of,
)
from skill_robots.franka_driver.scheduling import configure_driver, leave_signals_to_parent

ORPHAN_S = 1.0
"""The driver ends this long after its parent's death [s]; the arm is at rest much earlier."""

SILENT_S = 60.0
"""The driver ends after this time without a set-point, if there was one before [s]."""

RECONNECT_S = 0.5
"""Interval between two attempts to connect again after the connection was lost [s]."""

RECOVERY_SETTLE_S = 0.5
"""Longest wait for the mode Idle after an error recovery [s]."""

LONGEST_CATCH_UP_S = 0.005
"""After a longer delay the next cycle is due one period from now [s]."""

WINDOW = 1000
"""Cycles over which the longest delay is reported."""


@dataclass(frozen=True, kw_only=True)
class DriverStart:
    """Settings of a driver process, passed pickled through its standard input."""

    address: str
    version: int
    """Protocol version of the robot."""
    memory: int
    """Descriptor of the shared memory."""
    parent: int
    """Process id of the parent."""
    servo_period_s: float
    realtime: bool
    config: DriverConfig
    velocity_limit: Array
    """``(7,)`` [rad/s]."""
    acceleration_limit: Array
    """``(7,)`` [rad/s^2]."""
    jerk_limit: Array
    """``(7,)`` [rad/s^3]."""
    stiffness: Array
    """``(7,)`` [N m/rad]."""
    damping: Array
    """``(7,)`` [N m s/rad]."""


def connect(start: DriverStart) -> VendorRobot:
    """Connects to the robot through the library of its version.

    Raises:
        RobotLinkError: the connection is refused.
    """
    if start.version == FR3_VERSION:
        from skill_robots.franka_driver.fr3 import Fr3

        return Fr3(start.address, start.stiffness, start.damping)
    from skill_robots.franka_driver.fer import Fer

    return Fer(start.address, start.stiffness, start.damping)


class Driver:
    """Feeds one robot until it is asked to end, or its parent dies.

    Args:
        robot: the robot, connected.
        start: settings.
        records: the shared memory.
        reconnect: connects again.
    """

    def __init__(
        self,
        robot: VendorRobot,
        start: DriverStart,
        records: SharedRecords,
        reconnect: Callable[[], VendorRobot],
    ) -> None:
        self._robot: VendorRobot | None = robot
        self._config = start.config
        self._records = records
        self._reconnect = reconnect
        self._parent = start.parent
        self._feed = ReferenceFeed(
            start.velocity_limit, start.acceleration_limit, start.jerk_limit, start.servo_period_s
        )
        self._snapshot: Snapshot | None = None
        self._received_s = now()
        self._stop = StopClass.NOT_STOPPED
        self._stops = 0
        self._seen = 0
        self._recovered = 0
        self._connect_at_s = 0.0
        self._delays = Delays()
        self._orphan_s = inf
        """When the parent was found to be dead."""
        self._deaf = False
        """Whether set-points are ignored, because the driver is about to end."""

    # The start ----------------------------------------------------------------------------------

    def begin(self) -> list[str]:
        """Checks and configures the robot, and starts the law at the measured pose.

        Returns:
            Remarks for the user.

        Raises:
            StartCheckError, RobotCommandError, RobotLinkError: the robot cannot be moved.
        """
        robot = self._robot
        assert robot is not None  # as given
        facts = robot.facts()
        remarks: list[str] = []
        if check_mode(facts, self._config):
            robot.recover()
            remarks.append(f"errors cleared at the start: {text_of(facts.errors, facts.mode)}")
        remarks += check_end_effector(facts, self._config)
        robot.configure(self._config)
        config = self._config
        remarks.append(
            f"the robot stops itself at {max(config.collision_force_n):g} N, or at "
            f"{'/'.join(f'{torque:g}' for torque in config.collision_torque_nm)} N m"
        )
        self._hold(robot)
        return remarks

    def _hold(self, robot: VendorRobot) -> None:
        """Starts the law at the measured pose."""
        self._feed.hold(robot.start())
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
            self._lose_link(str(error))
        self._publish()

    def _follow(self) -> None:
        """Gives the law its reference."""
        version = self._records.reference_version
        if version != self._seen and self._snapshot is not None and not self._deaf:
            setpoint = self._records.read_reference()
            if setpoint is not None:
                self._seen = version
                self._feed.offer(setpoint, self._snapshot.position, self._snapshot.velocity)
        if self._robot is not None and self._feed.phase is not Phase.STOPPED:
            self._robot.feed(*self._feed.advance(now()))

    def _measure(self) -> None:
        """Reads the robot, and finds out whether it has stopped by itself."""
        robot = self._robot
        if robot is None:
            self._connect_again()
            return
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
        snapshot, errors = robot.read(), robot.errors()
        self._stop = class_of(errors, snapshot.mode)
        self._stops += 1
        text = text_of(errors, snapshot.mode) if errors else ended
        self._records.stop.write(text, *errors)
        _log(f"the robot has stopped: {ended}")

    # Recovery -----------------------------------------------------------------------------------

    def _recover_if_asked(self) -> None:
        asked = self._records.words[Word.RECOVERY_ASKED]
        if asked == self._recovered or self._robot is None:
            return
        try:
            if self._feed.phase is Phase.STOPPED:
                self._recover(self._robot)
        except (StartCheckError, RobotCommandError) as error:
            self._stop = StopClass.OTHER
            self._records.stop.write(f"the robot has not recovered: {error}")
            _log(f"the robot has not recovered: {error}")
        finally:
            self._recovered = asked
            self._publish()
            self._records.words[Word.RECOVERY_DONE] = asked

    def _recover(self, robot: VendorRobot) -> None:
        """Clears the robot's errors and starts the law at the measured pose.

        The caller of ``FrankaArm.recover`` has agreed, so errors of every class are cleared.
        """
        facts = robot.facts()
        if check_mode(facts, replace(self._config, recover_at_start=True)):
            robot.recover()
        ends = now() + RECOVERY_SETTLE_S
        while robot.facts().errors and now() < ends:
            time.sleep(0.005)
        # A user stop or a restart of the robot resets thresholds and payload.
        robot.configure(self._config)
        self._hold(robot)
        self._snapshot, self._received_s = robot.read(), now()

    def _lose_link(self, text: str) -> None:
        """Records that the connection is lost; it is made again without a question."""
        self._feed.stop()
        self._robot = None
        self._stop = StopClass.COMMUNICATION
        self._stops += 1
        self._connect_at_s = now() + RECONNECT_S
        self._records.stop.write(f"the connection to the robot is lost: {text}")
        _log(f"the connection to the robot is lost: {text}")

    def _connect_again(self) -> None:
        if now() < self._connect_at_s:
            return
        try:
            self._robot = robot = self._reconnect()
            facts = robot.facts()
        except RobotLinkError:
            self._robot = None
            self._connect_at_s = now() + RECONNECT_S
            return
        # The robot stopped when it missed its commands; a contact or user stop may have followed.
        self._stop = class_of(facts.errors, facts.mode)
        if not facts.errors and self._stop is StopClass.OTHER:
            self._stop = StopClass.COMMUNICATION
        self._records.stop.write(text_of(facts.errors, facts.mode), *facts.errors)
        _log("connected to the robot again")

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
                position=tuple(snapshot.position),
                velocity=tuple(snapshot.velocity),
                reference_position=tuple(feed.position),
                reference_velocity=tuple(feed.velocity),
            )
        )

    # The end ------------------------------------------------------------------------------------

    def _end_reason(self) -> str | None:
        """Returns why the driver must end now; None if it goes on."""
        time_s, feed = now(), self._feed
        ending = self._records.words[Word.ENDING] != 0
        if self._orphan_s == inf and os.getppid() != self._parent:
            self._orphan_s = time_s
        if ending or self._orphan_s < inf:
            self._deaf = True
            feed.brake(time_s)
        at_rest = feed.phase in (Phase.HOLDING, Phase.STOPPED)
        if ending and at_rest:
            return "it was asked to end"
        if at_rest and time_s - self._orphan_s > ORPHAN_S:
            return "its parent has died"
        if feed.accepted and time_s - feed.last_s > SILENT_S:
            return f"it had no set-point for {SILENT_S:g} s"
        return None

    def _finish(self) -> None:
        """Ends the law; the robot holds by itself."""
        robot = self._robot
        if robot is None or self._feed.phase is Phase.STOPPED:
            return
        try:
            robot.feed(self._feed.position, np.zeros(7))
            robot.finish()
        except (RobotLinkError, RobotCommandError) as error:
            _log(f"the impedance law did not end well: {error}")


class Delays:
    """The longest delay of a cycle, over one to two windows.

    Attributes:
        longest_s: the longest delay [s].
    """

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._current_s = 0.0
        self._count = 0

    def add(self, late_s: float) -> None:
        """Adds the delay of one cycle [s]."""
        self._count += 1
        if self._count == WINDOW:
            self._count, self.longest_s, self._current_s = 0, self._current_s, 0.0
        if late_s > self._current_s:
            self._current_s = late_s
            self.longest_s = max(self.longest_s, late_s)


def serve(start: DriverStart) -> int:
    """Drives the robot until the end, and returns the exit code of the process."""
    leave_signals_to_parent()
    records = SharedRecords(map_memory(start.memory))

    def connected() -> VendorRobot:
        robot = connect(start)
        remarks.extend(configure_driver(realtime=start.realtime))
        return robot

    remarks: list[str] = []
    try:
        driver = Driver(connected(), start, records, connected)
        remarks += driver.begin()
        driver.cycle()
    except (StartCheckError, RobotCommandError, RobotLinkError, ImportError) as error:
        records.report.write(str(error))
        records.words[Word.DRIVER_STATUS] = Status.FAILED
        return 1
    records.report.write(*remarks)
    records.words[Word.DRIVER_STATUS] = Status.READY
    reason = driver.run()
    records.stop.write(f"the driver has ended: {reason}")
    return 0


def _log(text: str) -> None:
    print(f"driver: {text}", file=sys.stderr, flush=True)  # noqa: T201  the server's log
