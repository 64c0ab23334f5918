"""The interface between the runtime and an arm, simulated or real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from skill_proto.arrays import Array
from skill_proto.messages import FaultClass
from skill_robots.collision import CollisionModel
from skill_robots.kinematics import Kinematics


class ArmError(RuntimeError):
    """An arm cannot be reached, refuses a set-point, or reports a fault.

    Attributes:
        kind: fault class that the runtime reports for this error.
    """

    kind: FaultClass = "arm"


class SimulationDivergedError(ArmError):
    """The simulation is numerically unstable; a reset of the scene ends this."""


class ArmCommunicationError(ArmError):
    """The arm did not answer, or a set-point was not delivered; this may be temporary."""

    kind = "communication"


class ArmContactError(ArmError):
    """The arm stopped itself because of a contact."""

    kind = "contact"


class ObjectUnseenError(ArmError):
    """No sensor reports the pose of an object that the policy observes."""

    kind = "tracker"


@dataclass(frozen=True, kw_only=True)
class PositionBasedVelocityLimit:
    """Velocity bound of each joint that falls with the distance ``d`` to the end of its range.

    The bound is ``max(0, sqrt(2 deceleration d) - offset)``, and never above the joint's velocity
    limit. Franka publishes it for the FR3 as position-based velocity limits (Franka Control
    Interface documentation, "Robot and interface specifications").
    """

    offset: Array
    """``(dof,)`` [rad/s]."""
    deceleration: Array
    """``(dof,)`` [rad/s^2]."""


@dataclass(frozen=True, kw_only=True)
class ArmSpec:
    """Limits, geometry and models of a type of arm. Vectors are ``(dof,)`` unless said otherwise.

    Code outside the folder of an arm reads the arm only through this spec.
    """

    name: str
    joint_names: tuple[str, ...]
    position_low: Array
    """[rad]."""
    position_high: Array
    """[rad]."""
    velocity_limit: Array
    """[rad/s]."""
    acceleration_limit: Array
    """[rad/s^2]."""
    jerk_limit: Array
    """[rad/s^3]."""
    braking_limit: Array | None = None
    """Highest deceleration of a stop, if it is lower than ``acceleration_limit`` [rad/s^2]. An arm
    that stops by itself with this deceleration when set-points end says so here, because the
    governor must verify the same stop."""
    torque_limit: Array
    """[N m]."""
    stiffness: Array
    """Joint impedance of the plant that policies are trained on [N m/rad]."""
    damping: Array
    """[N m s/rad], on the velocity error."""
    gripper_width_max: float
    """Opening of the gripper [m]."""
    gripper_speed: float = 0.1
    """Largest speed of the gripper's width [m/s]; the default is the Franka Hand's."""
    end_effector_speed: float
    """Speed limit of the end effector's origin [m/s]."""
    position_based_velocity_limit: PositionBasedVelocityLimit | None = None
    """Stricter bound near the ends of the joints' ranges; None if the arm has no such bound."""
    neutral: Array
    """Start of the inverse kinematics and rest posture of its null space [rad]. The end effector
    points straight down."""
    reach: Array
    """Upper bound on the distance of any point of the arm, gripper open, from each axis [m]."""
    end_effector_reach: Array
    """Upper bound on the distance of the end effector's origin from each joint's axis [m]."""
    kinematics: Kinematics
    """Forward kinematics."""
    collision_model: Callable[[], CollisionModel]
    """Makes a collision model; every thread needs its own."""

    @property
    def dof(self) -> int:
        """Number of joints."""
        return len(self.joint_names)

    @property
    def deceleration_limit(self) -> Array:
        """Highest deceleration of a stop ``(dof,)`` [rad/s^2]."""
        return self.acceleration_limit if self.braking_limit is None else self.braking_limit


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A pose in the world frame with its velocities.

    For a batch of n scenes every array has a leading axis n.
    """

    position: Array
    """``(3,)`` [m]."""
    quaternion: Array
    """``(4,)``, w first, w >= 0."""
    velocity: Array
    """``(3,)`` [m/s]."""
    angular_velocity: Array
    """``(3,)`` [rad/s]."""


@dataclass(frozen=True, kw_only=True)
class ArmConnection:
    """Quality of the connection to a real robot, as its driver and the robot report it."""

    success_rate: float | None
    """Share of the last 100 control commands that the robot received in time; None if the robot
    reports none, as outside of a motion. Franka: ``control_command_success_rate``."""
    missed_setpoints: int
    """Set-points that came so late that the driver had begun to brake, since the start."""
    lateness_s: float
    """Longest delay of a cycle of the driver in the last second [s]."""
    reflexes: int
    """Times that the robot stopped by itself since the start."""
    last_reflex: tuple[str, ...] = ()
    """Reasons of the newest of these stops, by the robot's own names."""


@dataclass(frozen=True, kw_only=True)
class ArmState:
    """Measurements of one instant."""

    time_s: float
    """Time of measurement on the arm's own clock [s]; it differs between two measurements."""
    joint_position: Array
    """``(dof,)`` [rad]."""
    joint_velocity: Array
    """``(dof,)`` [rad/s]."""
    gripper_width: float
    """[m]."""
    objects: Mapping[str, Pose] = field(default_factory=dict[str, Pose])
    """Poses of the objects that the arm itself reports, by name; empty for a real arm."""
    connection: ArmConnection | None = None
    """Quality of the connection; None for an arm without one, such as a simulation."""


@dataclass(frozen=True, kw_only=True)
class JointTarget:
    """One shaped set-point, valid for one servo period."""

    position: Array
    """``(dof,)`` [rad]."""
    velocity: Array
    """``(dof,)`` [rad/s], fed forward."""
    acceleration: Array
    """``(dof,)`` [rad/s^2], for limit checks."""
    gripper_width: float | None = None
    """[m]; None leaves the gripper unchanged."""
    grasp: bool = False
    """Close on the object and hold it by force instead of by width."""


class Arm(Protocol):
    """One arm. No call blocks for longer than a fraction of a servo period.

    Raises:
        ArmError: from any method, if the arm cannot carry out the call.
    """

    @property
    def spec(self) -> ArmSpec:
        """Limits, geometry and models of the arm."""
        ...

    @property
    def servo_period_s(self) -> float:
        """Time between two set-points [s]."""
        ...

    @property
    def is_simulated(self) -> bool:
        """Whether the arm is a simulation; it then implements :class:`Scene` too."""
        ...

    @property
    def lockstep(self) -> bool:
        """Whether the arm is a lockstep simulation: its time advances only with each set-point.

        The time of a free-running arm, such as every real one, advances without set-points.
        """
        ...

    def read(self) -> ArmState:
        """Returns the newest measured state.

        Raises:
            ArmCommunicationError: the arm does not answer, or it is recovering.
            ArmContactError: the arm stopped itself because of a contact.
        """
        ...

    def command(self, target: JointTarget) -> None:
        """Sends one set-point; a lockstep simulation also advances by one servo period.

        The call does not wait until the arm has reached the set-point.

        Raises:
            ArmCommunicationError: the set-point was not delivered, or its delivery is unknown.
            ArmContactError: the arm stopped itself because of a contact.
        """
        ...

    def recover(self) -> None:
        """Begins recovery from a fault of the robot and returns at once.

        :meth:`read` raises :class:`ArmCommunicationError` until the robot is ready. Without a
        fault the call has no effect. The runtime never calls it after a contact unless an operator
        has sent ``clear``.
        """
        ...

    def close(self) -> None:
        """Leaves the arm at rest and frees its resources."""
        ...


class Scene(Protocol):
    """The further methods of a simulated arm: its world can be reset and changed."""

    def reset(self, seed: int | None = None) -> None:
        """Puts arm and objects at a new random start, at rest."""
        ...

    def set_context(self, *, mass: float | None = None, friction: float | None = None) -> None:
        """Changes the object's mass [kg] or the object-table friction coefficient at once.

        Raises:
            ValueError: a value is not finite, or outside the range of the simulation.
        """
        ...

    @property
    def context(self) -> Mapping[str, float]:
        """True physical quantities, ``mass`` [kg] and ``friction``."""
        ...
