"""Robot: the simulated robot inside the control box, without sockets and without a clock.

A caller advances it one millisecond at a time and passes the command that has arrived. Facts are
those of libfranka and of the Franka Control Interface documentation. Rules that no document gives
are guesses and say so: the modes in which a request is possible, the thresholds of reflexes, and
the way in which the arm stops.
"""

from __future__ import annotations

from collections.abc import Callable

from skill_proto.arrays import Array
from skill_robots.control_box.config import CYCLE_S, RobotConfig
from skill_robots.control_box.controllers.arm_control import ArmControl
from skill_robots.control_box.generators.generator import error_mask
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.generators.move import rejection
from skill_robots.control_box.hand import Hand
from skill_robots.control_box.physics.plant import Plant
from skill_robots.control_box.reflexes import Reflexes
from skill_robots.control_box.settings import Settings
from skill_robots.control_box.state_writer import StateWriter
from skill_robots.control_box.wire.protocol import (
    ControllerMode,
    ErrorBit,
    GeneratorMode,
    MoveStatus,
    RecoveryStatus,
    SetterStatus,
    StopStatus,
)
from skill_robots.control_box.wire.robot_command import (
    CollisionBehavior,
    Load,
    MoveRequest,
    RobotCommand,
)
from skill_robots.control_box.wire.robot_state import RobotState
from skill_robots.franka.robot_mode import RobotMode


class Robot:
    """An arm with its hand, its modes and its errors.

    Call :meth:`cycle` once a millisecond; every other method returns at once and takes effect in
    the next cycle. ``state`` is complete after each cycle and has its ``message_id``.

    A motion ends in one of these ways. The client's own end and StopMove let the arm come to rest
    in mode MOVE; then the modes are idle and :meth:`take_move_result` gives SUCCESS or PREEMPTED.
    Errors and the user stop set modes and result at once, and the arm comes to rest afterwards: on
    a braking trajectory within the limits of acceleration and jerk, or with damping alone if a
    measured limit is broken.

    Args:
        config: the robot.

    Attributes:
        config: the robot.
        state: the state that a client reads.
        plant: the physics.
        hand: the hand; :meth:`cycle` advances it.
    """

    def __init__(self, config: RobotConfig) -> None:
        self.config = config
        self.state = state = RobotState(config.protocol)
        self.plant = Plant(config)
        self.hand = Hand(self.plant, config)
        self._settings = Settings(self.plant, state)
        self._arm = ArmControl(config, self.plant, self._settings)
        self._reflexes = Reflexes(config, self.plant, state)
        self._reflexes.set_behavior(self._settings.collision_behavior)
        self._writer = StateWriter(state, self.plant, self._arm.desired)
        self._ending: MoveStatus | None = None
        self._move_result: MoveStatus | None = None
        self._recovery_cycles: int | None = None
        self._recovery_result: RecoveryStatus | None = None
        self._is_stop_pressed = False
        self._write([0.0] * 7)

    # Requests -----------------------------------------------------------------------------------

    def start_move(self, request: MoveRequest) -> MoveStatus:
        """Starts a motion in mode IDLE; the modes of the next state are those of the request.

        Returns:
            MOTION_STARTED, or the reason of a refusal. The end comes by :meth:`take_move_result`.
        """
        if self.state.robot_mode != RobotMode.IDLE:
            return MoveStatus.NOT_POSSIBLE
        refused = rejection(request)
        if refused is not None:
            return refused
        if not self._arm.begin(request):
            return MoveStatus.START_AT_SINGULAR_POSE
        self._ending = self._move_result = None
        self.state.reflex_reason = 0
        self._set_modes(RobotMode.MOVE, request.generator_mode, request.controller_mode)
        return MoveStatus.MOTION_STARTED

    def stop_move(self) -> StopStatus:
        """Brakes a running motion, which ends as PREEMPTED; without one the call has no effect.

        libfranka sends StopMove after every abort, so it succeeds without a motion, too. A guess.
        """
        if self._arm.followed is not None:
            self._ending = MoveStatus.PREEMPTED
            self._arm.brake()
        return StopStatus.SUCCESS

    def recover(self) -> RecoveryStatus | None:
        """Clears the errors of a reflex as soon as the arm is at rest.

        Returns:
            The status, or None while the recovery is under way: then
            :meth:`take_recovery_result` gives it later, once.
        """
        mode = self.state.robot_mode
        if mode == RobotMode.IDLE:
            return RecoveryStatus.SUCCESS
        if mode != RobotMode.REFLEX:
            return RecoveryStatus.NOT_POSSIBLE
        if self._reflexes.is_beyond_range():
            return RecoveryStatus.MANUAL_RECOVERY_REQUIRED
        cycles = round(self.config.recovery_s / CYCLE_S)
        if self._arm.is_holding and cycles == 0:
            self._clear_errors()
            return RecoveryStatus.SUCCESS
        self._recovery_cycles = cycles
        self._recovery_result = None
        self.state.robot_mode = RobotMode.AUTOMATIC_ERROR_RECOVERY
        return None

    def connection_lost(self) -> None:
        """Ends a running motion like too many lost packets.

        The reaction of a real robot to a closed connection is unknown.
        """
        if self._arm.followed is not None:
            self._abort(self._mask(ErrorBit.COMMUNICATION_CONSTRAINTS_VIOLATION))
        self._move_result = self._recovery_result = None

    def take_move_result(self) -> MoveStatus | None:
        """Returns the final status of a motion that has ended, once."""
        result, self._move_result = self._move_result, None
        return result

    def take_recovery_result(self) -> RecoveryStatus | None:
        """Returns the status of a recovery that has ended later than its request, once."""
        result, self._recovery_result = self._recovery_result, None
        return result

    # Setters: possible in mode IDLE, where no controller runs. A guess after franka_ros #25, where
    # they were refused in mode REFLEX and beside a running controller.

    def set_collision_behavior(self, behavior: CollisionBehavior) -> SetterStatus:
        """Sets the thresholds of contacts and collisions."""
        status = self._when_idle(lambda: self._settings.set_collision_behavior(behavior))
        self._reflexes.set_behavior(self._settings.collision_behavior)
        return status

    def set_joint_impedance(self, stiffness: Array) -> SetterStatus:
        """Sets the stiffness of the joint controller, ``(7,)`` [N m/rad]."""
        return self._when_idle(lambda: self._settings.set_joint_impedance(stiffness))

    def set_cartesian_impedance(self, stiffness: Array) -> SetterStatus:
        """Sets the stiffness of the Cartesian controller in K, ``(6,)`` [N/m, N m/rad]."""
        return self._when_idle(lambda: self._settings.set_cartesian_impedance(stiffness))

    def set_guiding_mode(self, free: tuple[bool, ...], null_space: bool) -> SetterStatus:
        """Accepts the directions that an operator can guide; the simulation frees all joints."""
        return self._when_idle(lambda: self._settings.set_guiding_mode(free, null_space))

    def set_ee_to_k(self, frame: Array) -> SetterStatus:
        """Sets the stiffness frame, EE_T_K ``(16,)`` in column-major order."""
        return self._when_idle(lambda: self._settings.set_ee_to_k(frame))

    def set_ne_to_ee(self, frame: Array) -> SetterStatus:
        """Sets the end effector frame, NE_T_EE ``(16,)`` in column-major order."""
        return self._when_idle(lambda: self._settings.set_ne_to_ee(frame))

    def set_load(self, load: Load) -> SetterStatus:
        """Sets the load that gravity compensation carries."""
        return self._when_idle(lambda: self._settings.set_load(load))

    def set_filters(self, frequencies: Array) -> SetterStatus:
        """Sets the five cut-off frequencies [Hz]; the simulation does not filter commands."""
        return self._when_idle(lambda: self._settings.set_filters(frequencies))

    def _when_idle(self, call: Callable[[], SetterStatus]) -> SetterStatus:
        if self.state.robot_mode != RobotMode.IDLE:
            return SetterStatus.NOT_POSSIBLE
        self._writer.invalidate()
        return call()

    # Buttons ------------------------------------------------------------------------------------

    def press_user_stop(self) -> None:
        """Stops the arm; a running motion ends as EMERGENCY_ABORTED."""
        if self._arm.followed is not None or self._ending is not None:
            self._move_result, self._ending = MoveStatus.EMERGENCY_ABORTED, None
        if self._arm.followed is not None:
            self._arm.brake()
        elif self.state.robot_mode == RobotMode.GUIDING:
            self._arm.hold()
        if self._recovery_cycles is not None:
            self._recovery_cycles = None
            self._recovery_result = RecoveryStatus.EMERGENCY_ABORTED
        self._is_stop_pressed = True
        self._set_modes(RobotMode.USER_STOPPED)

    def release_user_stop(self) -> None:
        """Returns to mode IDLE without errors as soon as the arm is at rest.

        Users report that pressing and releasing the stop ends a reflex (franka_ros #25).
        """
        self._is_stop_pressed = False

    def press_guiding_button(self) -> None:
        """Frees all joints of an idle robot, whatever directions the guiding mode names."""
        if self.state.robot_mode == RobotMode.IDLE:
            self._arm.guide()
            self._set_modes(RobotMode.GUIDING)

    def release_guiding_button(self) -> None:
        """Ends the guidance; the arm holds its position."""
        if self.state.robot_mode == RobotMode.GUIDING:
            self._arm.hold()
            self._set_modes(RobotMode.IDLE)

    # Time -----------------------------------------------------------------------------------------

    def cycle(self, command: RobotCommand | None = None) -> None:
        """Advances by one millisecond: command, limits, physics, state.

        Args:
            command: the command that answers the last state; None if none arrived in time.
        """
        errors = self._arm.follow(command)
        if errors:
            self._abort(errors)
        elif self._arm.followed is not None and self._arm.followed.is_finished:
            self._ending = MoveStatus.SUCCESS
            self._arm.brake()
        torque = self._arm.torque()
        self.plant.step(torque, self.hand.force())
        self._arm.settle()
        self._write(torque)
        if self.state.robot_mode == RobotMode.MOVE or self._arm.is_braking:
            errors = self._reflexes.check(self._judged_motion())
            if errors:
                self._react(errors)
        else:
            self._reflexes.contacts()
        self._settle()
        self.state.message_id += 1

    def _settle(self) -> None:
        """Ends a stop if the arm is at rest, and a recovery if its time is over.

        In mode IDLE the arm is at rest or guided, so every motion starts at rest.
        """
        if not self._arm.is_holding:
            return
        if self._ending is not None:
            self._move_result, self._ending = self._ending, None
            self._set_modes(RobotMode.IDLE)
        if self.state.robot_mode == RobotMode.USER_STOPPED and not self._is_stop_pressed:
            self._clear_errors()
        if self._recovery_cycles is not None:
            self._recovery_cycles -= 1
            if self._recovery_cycles < 0:
                self._recovery_cycles = None
                self._recovery_result = RecoveryStatus.SUCCESS
                self._clear_errors()

    # Stops ----------------------------------------------------------------------------------------

    def _abort(self, errors: int) -> None:
        """Enters mode REFLEX and brakes."""
        self._arm.brake()
        self._report(errors)

    def _react(self, errors: int) -> None:
        """Stops the arm without a set-point ahead of it, during a motion or a stop."""
        self._arm.damp()
        if self.state.robot_mode != RobotMode.USER_STOPPED:
            self._report(errors)

    def _report(self, errors: int) -> None:
        """Ends a motion with errors, or adds them to those that have ended it."""
        state = self.state
        if state.robot_mode == RobotMode.MOVE:
            self._move_result, self._ending = MoveStatus.REFLEX_ABORTED, None
            self._set_modes(RobotMode.REFLEX)
        state.errors |= errors
        state.reflex_reason = state.errors

    def _clear_errors(self) -> None:
        self.state.errors = 0
        self._reflexes.reset()
        self._set_modes(RobotMode.IDLE)

    # State ----------------------------------------------------------------------------------------

    def _write(self, torque: list[float]) -> None:
        move = self._arm.followed
        if move is not None and move.external is not None:
            torque = move.external.torque
        self._writer.write_measured()
        generator = None if move is None else move.generator
        self._writer.write_setpoint(self._arm.motion, torque, generator)
        self.state.control_command_success_rate = 0.0 if move is None else move.success_rate

    def _set_modes(
        self,
        mode: RobotMode,
        generator: GeneratorMode = GeneratorMode.IDLE,
        controller: ControllerMode = ControllerMode.OTHER,
    ) -> None:
        state = self.state
        state.robot_mode = mode
        state.motion_generator_mode, state.controller_mode = generator, controller
        if mode != RobotMode.MOVE:
            state.control_command_success_rate = 0.0

    def _judged_motion(self) -> JointMotion | None:
        """Returns the set-point whose acceleration selects the thresholds of reflexes."""
        move = self._arm.move
        return None if move is None or move.external is not None else self._arm.motion

    def _mask(self, error: ErrorBit) -> int:
        return error_mask(self.config.protocol, error)
