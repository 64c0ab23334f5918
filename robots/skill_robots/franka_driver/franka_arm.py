"""FrankaArm: a real Panda or FR3 behind the interface of every arm."""

from __future__ import annotations

import threading
from dataclasses import replace
from importlib.util import find_spec
from math import inf

from skill_proto.messages import FaultClass
from skill_robots.arm import (
    ArmCommunicationError,
    ArmConnection,
    ArmContactError,
    ArmError,
    ArmSpec,
    ArmState,
    JointTarget,
)
from skill_robots.franka.handshake import FR3_VERSION, library_for, robot_model, server_version
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.franka.urdf_limits import spec_from_urdf
from skill_robots.franka_driver.children import DriverProcesses
from skill_robots.franka_driver.config import DriverConfig, DriverStart, HandStart
from skill_robots.franka_driver.feed import is_seated
from skill_robots.franka_driver.hand.goals import NO_GOAL, next_goal
from skill_robots.franka_driver.records import (
    DriverState,
    HandState,
    Phase,
    Reference,
    SharedRecords,
    StopClass,
    Word,
    now,
)
from skill_robots.franka_driver.robot import MODE_TEXTS
from skill_robots.franka_driver.scheduling import allowed_cpus, run_on
from skill_robots.franka_driver.stopping import with_driver_stop

SILENT_S = 0.02
"""A state older than this is a silence [s], as for every arm."""

STALE_S = 0.004
"""A state older than this makes the arm look whether the driver process has ended [s]."""

RESTART_END_S = 1.5
"""Longest wait for a restart that is given up, before the end of its processes [s]."""

HAND_SILENT_S = 1.0
"""An older state of the gripper is an error [s]; the gripper sends about 30 states a second."""


class FrankaArm:
    """One robot, moved through its driver process; implements ``Arm``. Made by :meth:`connect`.

    No call waits for the robot: states and set-points cross shared memory.

    Args:
        spec: limits and models of the robot.
        servo_period_s: time between two set-points [s].
        processes: driver and gripper, which run.
        cpus: processors of processes that are started again; the control loop, which asks for
            them, may be bound to one.
    """

    is_simulated = False
    lockstep = False

    def __init__(
        self, spec: ArmSpec, servo_period_s: float, processes: DriverProcesses, cpus: set[int]
    ) -> None:
        self._spec = spec
        self._period_s = servo_period_s
        self._processes = processes
        self._cpus = cpus
        self._records: SharedRecords = processes.records
        self._number = 0
        self._goal = NO_GOAL
        self._state: DriverState | None = None
        self._is_read = False  # whether the state is of this servo period
        self._hand: HandState | None = None
        self._hand_version = 0
        self._connection: ArmConnection | None = None
        self._quality: tuple[float | None, int, float, int] | None = None
        self._restart: threading.Thread | None = None
        self._restart_error = ""
        self._reported: FaultClass | None = None
        """Class of the error that the newest call of :meth:`read` or :meth:`command` raised."""

    @classmethod
    def connect(
        cls,
        address: str,
        *,
        servo_rate_hz: float = 200.0,
        realtime: bool = True,
        config: DriverConfig | None = None,
    ) -> FrankaArm:
        """Connects to a robot, checks it, and starts the impedance law at the measured pose.

        Asks the robot for its protocol version first, and imports only the library that speaks it:
        panda-python for a Panda (version 5), franky-control for an FR3 (version 10). Waits up to
        ``children.START_TIMEOUT_S`` for the robot; call it outside of the control loop.

        Args:
            address: host name or IP address of the robot's control unit.
            servo_rate_hz: rate of the set-points [Hz].
            realtime: whether the driver's memory is locked. Driver and vendor's law always ask for
                SCHED_FIFO, because a robot stops after 20 missed commands. A refusal of either is
                a remark (:attr:`remarks`), not an error.
            config: thresholds, payload and gripper; None for the suggested start values.

        Raises:
            ArmError: nobody listens, the robot's version or the installed package does not fit, or
                a start-up check failed (mode, brakes, errors, end-effector frame). The text names
                the problem and its remedy.
            ValueError: ``servo_rate_hz`` is out of range.
        """
        if not 80.0 < servo_rate_hz <= 1000.0:
            raise ValueError(f"servo_rate_hz must be in (80, 1000], got {servo_rate_hz}")
        config = config or DriverConfig()
        version = server_version(address)
        library = library_for(version)
        if find_spec(library.module) is None:
            raise ArmError(
                f"the robot speaks version {version} of the Franka Control Interface, for which "
                f"the package {library.package} is not installed: pip install 'skill-serve[franka]'"
            )
        spec = spec_from_urdf(FR3, robot_model(address)) if version == FR3_VERSION else PANDA
        spec = with_driver_stop(spec)
        period_s = 1.0 / servo_rate_hz

        def driver_start(memory: int, parent: int, recover: bool) -> DriverStart:
            return DriverStart(
                address=address,
                version=version,
                memory=memory,
                parent=parent,
                servo_period_s=period_s,
                realtime=realtime,
                config=replace(config, recover_at_start=recover or config.recover_at_start),
                velocity_limit=spec.velocity_limit,
                acceleration_limit=spec.acceleration_limit,
                braking_limit=spec.deceleration_limit,
                jerk_limit=spec.jerk_limit,
                stiffness=spec.stiffness,
                damping=spec.damping,
            )

        def hand_start(memory: int, parent: int) -> HandStart:
            return HandStart(
                address=address,
                version=version,
                memory=memory,
                parent=parent,
                home=config.home_gripper,
                grasp_force_n=config.grasp_force_n,
                speed=config.gripper_speed,
            )

        processes = DriverProcesses(driver_start, hand_start if config.gripper else None)
        processes.start()
        return cls(spec, period_s, processes, allowed_cpus())

    @property
    def remarks(self) -> tuple[str, ...]:
        """Observations of the start for the user, e.g. payload, thresholds, refused scheduling."""
        return self._processes.remarks

    @property
    def spec(self) -> ArmSpec:
        """``PANDA`` or ``FR3`` with the driver's stop, and the limits that this robot states."""
        return self._spec

    @property
    def servo_period_s(self) -> float:
        """Time between two set-points [s]."""
        return self._period_s

    # The servo period ---------------------------------------------------------------------------

    def read(self) -> ArmState:
        """Returns the newest state; ``time_s`` is the robot's own time.

        Raises:
            ArmContactError: the robot stopped because of a contact (``joint_reflex``,
                ``cartesian_reflex`` or ``self_collision_avoidance_violation``).
            ArmCommunicationError: the newest state is older than 20 ms, or the robot recovers.
            ArmError: the robot reports another error, its user stop is pressed, it is guided by
                hand, or the driver process has ended. The text has the robot's own error names.
        """
        try:
            state = self._read()
        except ArmError as error:
            self._reported = error.kind
            raise
        self._reported = None
        return state

    def _read(self) -> ArmState:
        state = self._newest()
        self._is_read = True
        return ArmState(
            time_s=state.robot_ms * 1e-3,
            joint_position=state.position,
            joint_velocity=state.velocity,
            gripper_width=self._gripper_width(),
            connection=self._connection_of(state),
        )

    def _gripper_width(self) -> float:
        """Returns the newest width [m]; 0 without a gripper.

        Raises:
            ArmError: the gripper sends no states.
        """
        hand = self._newest_hand()
        if hand is None:
            return 0.0
        if now() - hand.received_s > HAND_SILENT_S:
            reason = self._processes.ended or "the gripper sends no states"
            raise ArmError(f"{reason}; 'clear' starts it again")
        return hand.width_m

    def _newest_hand(self) -> HandState | None:
        """Returns the newest state of the gripper; None without one."""
        records = self._records
        if records.hand_state_version != self._hand_version:
            self._hand_version = records.hand_state_version
            self._hand = records.read_hand_state() or self._hand
        return self._hand

    def _connection_of(self, state: DriverState) -> ArmConnection:
        """Returns the quality of the connection; the same object as long as it does not change."""
        rate = None if state.phase == Phase.STOPPED else state.success_rate
        quality = (rate, state.late_setpoints, state.lateness_s, state.stops)
        if quality != self._quality or self._connection is None:
            self._quality = quality
            self._connection = ArmConnection(
                success_rate=rate,
                missed_setpoints=state.late_setpoints,
                lateness_s=state.lateness_s,
                reflexes=state.stops,
                last_reflex=self._records.stop.read()[1:] if state.stops else (),
            )
        return self._connection

    def command(self, target: JointTarget) -> None:
        """Hands one set-point to the driver.

        Raises:
            ArmCommunicationError: the driver takes no set-point: it brakes or holds elsewhere, or
                the robot stopped with ``communication_constraints_violation``.
            ArmContactError, ArmError: as for :meth:`read`.
        """
        try:
            self._command(target)
        except ArmError as error:
            self._reported = error.kind
            raise

    def _command(self, target: JointTarget) -> None:
        state = self._state if self._is_read and self._state is not None else self._newest()
        self._is_read = False
        if state.phase == Phase.STOPPED:
            raise ArmCommunicationError(self._stop_text())
        if state.phase != Phase.FOLLOWING and not self._is_seated(target, state):
            raise ArmCommunicationError(
                "the arm has braked without set-points; it follows again from where it holds"
            )
        self._number += 1
        self._records.write_reference(
            Reference(self._number, now(), target.position, target.velocity, target.acceleration)
        )
        self._command_gripper(target)

    def _newest(self) -> DriverState:
        """Returns the newest state of a robot that has not stopped itself.

        A stop for lack of commands is no error of the robot: its state can be read.
        """
        if self._restart is not None:
            self._check_restart()
        records = self._records
        self._is_read = False
        # A reader that meets the driver within a write goes on with the state before.
        self._state = state = records.read_state() or self._state
        age_s = inf if state is None else now() - state.received_s
        if age_s > STALE_S and (ended := self._processes.ended) is not None:
            raise ArmError(f"{ended}; 'clear' starts it again")
        if records.words[Word.RECOVERY_ASKED] != records.words[Word.RECOVERY_DONE]:
            raise ArmCommunicationError("the robot recovers")
        if state is None:
            raise ArmCommunicationError("the driver writes its state")
        if state.stop == StopClass.CONTACT:
            raise ArmContactError(self._stop_text())
        if state.stop == StopClass.OTHER:
            raise ArmError(self._stop_text())
        if age_s > SILENT_S:
            stopped = state.stop == StopClass.COMMUNICATION
            text = self._stop_text() if stopped else f"the robot sent no state for {age_s:.3f} s"
            raise ArmCommunicationError(text)
        if state.mode in _NOT_MOVING:
            raise ArmError(_NOT_MOVING[state.mode])
        return state

    def _stop_text(self) -> str:
        return next(iter(self._records.stop.read()), "the robot has stopped")

    def _is_seated(self, target: JointTarget, state: DriverState) -> bool:
        return is_seated(
            target.position,
            target.velocity,
            reference=(state.reference_position, state.reference_velocity),
            measured=(state.position, state.velocity),
            holds=state.phase == Phase.HOLDING,
        )

    def _command_gripper(self, target: JointTarget) -> None:
        """Hands a changed goal to the gripper."""
        goal = next_goal(target, self._goal)
        if goal is not None:
            self._goal = goal
            self._records.write_hand_goal(goal)

    # Recovery -----------------------------------------------------------------------------------

    def recover(self) -> None:
        """Clears the robot's errors, or starts an ended process again, and returns at once.

        A gripper process that hangs is ended and started again, too. :meth:`read` raises
        ``ArmCommunicationError`` until the robot holds its measured pose. The call has no effect
        without an error. The caller makes sure that an operator has agreed after an error other
        than ``ArmCommunicationError``. An operator can agree only to what the newest :meth:`read`
        or :meth:`command` has reported: an error that came after it is not cleared but reported by
        the next :meth:`read`.
        """
        if self._restart is not None and self._restart.is_alive():
            return
        is_agreed = self._reported not in (None, "communication")
        hand = self._newest_hand()
        hangs = hand is not None and now() - hand.received_s > HAND_SILENT_S
        if hangs or self._processes.ended is not None:
            if not is_agreed:
                return
            self._restart_error = ""
            self._restart = threading.Thread(target=self._start_again, args=(hangs,), daemon=True)
            self._restart.start()
            return
        words, state = self._records.words, self._records.read_state() or self._state
        if state is None or state.phase != Phase.STOPPED:
            return
        if not is_agreed and state.stop != StopClass.COMMUNICATION:
            return
        if words[Word.RECOVERY_ASKED] == words[Word.RECOVERY_DONE]:
            words[Word.RECOVERY_ASKED] += 1

    def _start_again(self, hangs: bool) -> None:
        """Starts the processes again, in a thread of its own.

        Args:
            hangs: whether the gripper's process must be ended before.
        """
        run_on(self._cpus)
        if hangs:
            self._processes.kill_hand()
        try:
            self._processes.start(recover=True)
        except ArmError as error:
            self._restart_error = str(error)

    def _check_restart(self) -> None:
        """Raises an error until the processes run again."""
        restart = self._restart
        if restart is not None and restart.is_alive():
            raise ArmCommunicationError("the driver starts again")
        if self._restart_error:
            raise ArmError(self._restart_error)
        self._restart = None

    def close(self) -> None:
        """Brings the robot to rest, and ends law and processes.

        It takes at most ``children.CLOSE_TIMEOUT_S``, and :data:`RESTART_END_S` more during a
        restart, which is given up.
        """
        self._processes.ask_to_end()
        if self._restart is not None:
            self._restart.join(RESTART_END_S)
        self._processes.close()


_NOT_MOVING: dict[int, str] = {
    int(mode): text for mode, text in MODE_TEXTS.items() if mode is not RobotMode.OTHER
}
"""The mode Other also means a robot that just begins or ends a motion."""
