"""ActiveMove: one motion of a client, from its Move request to its last command."""

from __future__ import annotations

from skill_robots.control_box.config import RobotConfig
from skill_robots.control_box.generators.asynchronous import AsynchronousGenerator
from skill_robots.control_box.generators.cartesian import (
    CartesianGenerator,
    CartesianPoseGenerator,
    CartesianVelocityGenerator,
)
from skill_robots.control_box.generators.desired_pose import DesiredPose
from skill_robots.control_box.generators.generator import MotionGenerator, error_mask
from skill_robots.control_box.generators.joint import (
    JointPositionGenerator,
    JointVelocityGenerator,
)
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.generators.torque import TorqueCommand
from skill_robots.control_box.wire.protocol import (
    ControllerMode,
    ErrorBit,
    GeneratorMode,
    MoveStatus,
)
from skill_robots.control_box.wire.robot_command import MoveRequest, RobotCommand

MAX_LOST_IN_A_ROW = 20
"""More lost packets in a row end the motion (Franka Control Interface documentation)."""

_RATED = 100
"""Commands over which the success rate is measured (libfranka, ``RobotState``)."""
_RATED_MASK = (1 << _RATED) - 1


class ActiveMove:
    """Feeds commands to a motion generator, an external controller, or both.

    Cycles before the first command are not lost packets: a client begins when it has seen the new
    modes. The longest wait of a real robot is unknown; this one waits for ever.

    Args:
        request: the request; see :func:`rejection`.
        start: joint set-point at the start, at rest.
        config: the robot.
        desired: forward kinematics for a Cartesian generator.

    Attributes:
        request: the request.
        generator: the motion generator; None for pure torque control of version 10.
        external: the torques of the client; None with an internal controller.
        has_started: whether a command has arrived.
        is_finished: whether the client has ended the motion.
        lost_in_a_row: lost packets since the last command.
    """

    def __init__(
        self,
        request: MoveRequest,
        start: JointMotion,
        config: RobotConfig,
        desired: DesiredPose,
    ) -> None:
        self.request = request
        self.generator = _generator(request, start, config, desired)
        self.external: TorqueCommand | None = None
        if request.controller_mode == ControllerMode.EXTERNAL:
            self.external = TorqueCommand(config.spec, config.protocol)
        self.has_started = False
        self.is_finished = False
        self.lost_in_a_row = 0
        self._answered = _RATED_MASK
        self._communication_error = error_mask(
            config.protocol, ErrorBit.COMMUNICATION_CONSTRAINTS_VIOLATION
        )

    def advance(self, command: RobotCommand | None) -> int:
        """Executes one cycle; returns its errors as a mask.

        Args:
            command: the answer to the last state; None if it was lost.
        """
        if command is None:
            return self._miss()
        self.has_started = True
        self.lost_in_a_row = 0
        self._answered = (self._answered << 1 | 1) & _RATED_MASK
        errors = 0
        if self.generator is not None:
            errors |= self.generator.follow(command)
        if self.external is not None:
            errors |= self.external.follow(command.tau_j_d.tolist())
        if command.motion_generation_finished or command.torque_command_finished:
            if self.generator is not None and not errors:
                errors |= self.generator.finish()
            self.is_finished = not errors
        return errors

    @property
    def success_rate(self) -> float:
        """Share of the last 100 commands that arrived in time."""
        return self._answered.bit_count() / _RATED

    def _miss(self) -> int:
        if not self.has_started:
            return 0
        errors = self.generator.extrapolate() if self.generator is not None else 0
        if self.request.use_async:
            return errors
        self.lost_in_a_row += 1
        self._answered = self._answered << 1 & _RATED_MASK
        if self.lost_in_a_row > MAX_LOST_IN_A_ROW:
            errors |= self._communication_error
        return errors


def rejection(request: MoveRequest) -> MoveStatus | None:
    """Returns the status of a request that is refused at once, None if it is possible.

    The combinations that a real robot refuses are unpublished. Without a generator only an
    external controller makes sense; libfranka offers asynchronous motions with joint position and
    joint impedance alone.
    """
    if request.generator_mode == GeneratorMode.NONE and (
        request.controller_mode != ControllerMode.EXTERNAL
    ):
        return MoveStatus.INVALID_ARGUMENT
    if request.use_async and (
        request.generator_mode != GeneratorMode.JOINT_POSITION
        or request.controller_mode != ControllerMode.JOINT_IMPEDANCE
        or min(request.max_velocities) <= 0.0
    ):
        return MoveStatus.INVALID_ARGUMENT
    if min(*request.path_deviation, *request.goal_deviation) < 0.0:
        return MoveStatus.INVALID_ARGUMENT
    return None


def starts_singular(move: ActiveMove) -> bool:
    """Returns whether a Cartesian motion would start at a singular pose."""
    return isinstance(move.generator, CartesianGenerator) and move.generator.starts_singular


def _generator(
    request: MoveRequest, start: JointMotion, config: RobotConfig, desired: DesiredPose
) -> MotionGenerator | None:
    spec, protocol = config.spec, config.protocol
    match request.generator_mode:
        case GeneratorMode.JOINT_POSITION:
            if request.use_async:
                return AsynchronousGenerator(start, spec, protocol, request.max_velocities)
            return JointPositionGenerator(start, spec, protocol)
        case GeneratorMode.JOINT_VELOCITY:
            return JointVelocityGenerator(start, spec, protocol)
        case GeneratorMode.CARTESIAN_POSITION:
            return CartesianPoseGenerator(start, config, desired)
        case GeneratorMode.CARTESIAN_VELOCITY:
            return CartesianVelocityGenerator(start, config, desired)
        case _:
            return None
