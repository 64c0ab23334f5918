"""ArmControl: the set-point and the controller of each cycle."""

from __future__ import annotations

from enum import Enum, auto

from skill_robots.control_box.config import RobotConfig
from skill_robots.control_box.generators.braking import Braking
from skill_robots.control_box.generators.desired_pose import DesiredPose
from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.generators.move import ActiveMove, starts_singular
from skill_robots.control_box.physics.plant import Plant
from skill_robots.control_box.settings import Settings
from skill_robots.control_box.wire.protocol import ControllerMode
from skill_robots.control_box.wire.robot_command import MoveRequest, RobotCommand

STOP_TIME_S = 0.02
"""After a collision each joint's velocity decays with this time constant [s]; a guess."""
DAMPING_CYCLES = 200
"""After this many cycles the arm holds even if it still moves: a load that the gravity compensation
does not know would let a damped arm sink without end. A guess."""
GUIDING_DAMPING = 1.0
"""Damping of a joint that an operator guides [N m s/rad]; a guess."""
AT_REST_RAD_S = 0.01
"""Joints slower than this are at rest [rad/s]."""


class _Control(Enum):
    HOLD = auto()
    """The set-point is at rest."""
    FOLLOW = auto()
    """The client's motion."""
    BRAKE = auto()
    """A braking trajectory."""
    DAMP = auto()
    """Damping alone, after a collision: the arm does not press on."""
    GUIDE = auto()
    """An operator."""


class ArmControl:
    """Holds the arm, follows a client's motion, stops, or lets an operator guide.

    Args:
        config: the robot.
        plant: the physics.
        settings: controllers with the stiffness that the client has set.

    Attributes:
        motion: set-point of this cycle; the measured motion while no position is desired.
        move: the last motion of a client.
        desired: pose and Jacobian of the set-point, of the last use.
    """

    def __init__(self, config: RobotConfig, plant: Plant, settings: Settings) -> None:
        self._config = config
        self._plant = plant
        self._settings = settings
        self.desired = DesiredPose(plant.model)
        self._actual = DesiredPose(plant.model)
        self._braking = Braking(config.spec)
        self._stop_damping: list[float] = (plant.inertia().diagonal() / STOP_TIME_S).tolist()
        self._control = _Control.HOLD
        self._damped_cycles = 0
        self.motion = JointMotion.at_rest(config.start)
        self.move: ActiveMove | None = None

    @property
    def is_holding(self) -> bool:
        """Whether the set-point is at rest and no client or operator moves the arm."""
        return self._control is _Control.HOLD

    @property
    def is_braking(self) -> bool:
        """Whether the arm follows a braking trajectory."""
        return self._control is _Control.BRAKE

    @property
    def followed(self) -> ActiveMove | None:
        """The client's motion that the arm follows in this cycle."""
        return self.move if self._control is _Control.FOLLOW else None

    # Who moves the arm ------------------------------------------------------------------------

    def begin(self, request: MoveRequest) -> bool:
        """Begins to follow a client; returns False if the motion would start at a singular pose."""
        move = ActiveMove(request, self.motion, self._config, self.desired)
        if starts_singular(move):
            return False
        self.move = move
        self._control = _Control.FOLLOW
        return True

    def brake(self) -> None:
        """Begins a braking trajectory for the joint impedance controller.

        After another controller it begins at the measured motion, so that the change is smooth.
        """
        move = self.followed
        if move is not None and move.request.controller_mode != ControllerMode.JOINT_IMPEDANCE:
            self.motion = self._measured()
        self._control = _Control.BRAKE
        self._braking.begin(self.motion)

    def damp(self) -> None:
        """Stops the arm by damping alone."""
        self._control = _Control.DAMP
        self._damped_cycles = 0
        self.motion = self._measured()

    def guide(self) -> None:
        """Lets an operator move the arm."""
        self._control = _Control.GUIDE

    def hold(self) -> None:
        """Holds the measured position."""
        self._control = _Control.HOLD
        self.motion = JointMotion.at_rest(self._plant.position)

    # One cycle ----------------------------------------------------------------------------------

    def follow(self, command: RobotCommand | None) -> int:
        """Advances the set-point by one cycle; returns the errors of the client's motion."""
        move = self.followed
        if move is not None:
            errors = move.advance(command)
            if not errors and move.generator is not None:
                self.motion = move.generator.motion
            return errors
        if self._control is _Control.BRAKE:
            self.motion = self._braking.step()
        return 0

    def torque(self) -> list[float]:
        """Returns the torques of this cycle without gravity, ``(7,)`` [N m]."""
        plant, move = self._plant, self.followed
        velocity = plant.velocity
        if self._control is _Control.DAMP:
            return [-d * v for d, v in zip(self._stop_damping, velocity, strict=True)]
        if self._control is _Control.GUIDE:
            return [-GUIDING_DAMPING * v for v in velocity]
        if move is not None and move.external is not None and move.has_started:
            return move.external.torque
        if move is not None and (
            move.request.controller_mode == ControllerMode.CARTESIAN_IMPEDANCE
        ):
            return self._cartesian_torque()
        return self._settings.joint_impedance.torque(self.motion, plant.position, velocity)

    def settle(self) -> None:
        """Ends a stop if the arm is at rest; takes the measured motion if none is desired."""
        if self._has_no_setpoint():
            self.motion = self._measured()
        if self._control not in (_Control.BRAKE, _Control.DAMP):
            return
        is_moving = max(map(abs, self._plant.velocity)) >= AT_REST_RAD_S
        if self._control is _Control.DAMP:
            self._damped_cycles += 1
            if not is_moving or self._damped_cycles >= DAMPING_CYCLES:
                self.hold()
        elif not is_moving and self.motion.is_at_rest:
            self._control = _Control.HOLD

    def _has_no_setpoint(self) -> bool:
        move = self.followed
        if move is not None:
            return move.generator is None and move.has_started
        return self._control in (_Control.DAMP, _Control.GUIDE)

    def _cartesian_torque(self) -> list[float]:
        plant = self._plant
        self.desired.update(self.motion.position)
        self.desired.update_jacobian()
        self._actual.update(plant.q)
        self._actual.update_jacobian()
        return self._settings.cartesian_impedance.torque(
            self.motion, self.desired, self._actual, plant.dq, plant.stiffness_rotation
        )

    def _measured(self) -> JointMotion:
        return JointMotion(self._plant.position, self._plant.velocity, [0.0] * 7)
