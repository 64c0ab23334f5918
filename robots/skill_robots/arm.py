"""Arm: what every backend, simulated or real, looks like to the runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from skill_proto.arrays import Array
from skill_proto.messages import FaultClass


class ArmError(RuntimeError):
    """An arm cannot be reached, refuses a target, or reports a fault of its own.

    Attributes:
        kind: the class of fault that it means for who drives the arm.
    """

    kind: FaultClass = "arm"


class SimulationDivergedError(ArmError):
    """A simulated arm is no longer anywhere sensible; a fresh start mends it."""


class ArmCommunicationError(ArmError):
    """An arm does not answer, for the moment."""

    kind = "communication"


class ArmContactError(ArmError):
    """An arm has stopped itself because it touched something."""

    kind = "contact"


class ObjectUnseenError(ArmError):
    """Nothing reports the pose of an object that is needed."""

    kind = "tracker"


@dataclass(frozen=True, kw_only=True)
class PositionBasedVelocityLimit:
    """How the speed towards a joint's end falls with the distance ``d`` to it.

    The bound is ``max(0, sqrt(2 deceleration d) - offset)``, where that is below the joint's limit.
    """

    offset: Array
    """``(dof,)`` [rad/s]."""
    deceleration: Array
    """``(dof,)`` [rad/s^2]."""


@dataclass(frozen=True, kw_only=True)
class ArmSpec:
    """Published facts of an arm. Vectors are ``(dof,)`` unless said otherwise."""

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
    torque_limit: Array
    """[N m]."""
    stiffness: Array
    """Joint impedance of the plant that policies are trained on [N m/rad]."""
    damping: Array
    """[N m s/rad], on the velocity error."""
    gripper_width_max: float
    """Opening of the hand [m]."""
    end_effector_speed: float
    """Highest speed of the end effector's origin [m/s]."""
    velocity_limit_near_ends: PositionBasedVelocityLimit | None = None
    """Where speed towards a joint's end is bounded further; None where it is not."""

    @property
    def dof(self) -> int:
        """Number of joints."""
        return len(self.joint_names)


@dataclass(frozen=True, kw_only=True)
class Pose:
    """A pose in the world frame with its velocities."""

    position: Array
    """``(3,)`` [m]."""
    quaternion: Array
    """``(4,)``, w first, w >= 0."""
    velocity: Array
    """``(3,)`` [m/s]."""
    angular_velocity: Array
    """``(3,)`` [rad/s]."""


@dataclass(frozen=True, kw_only=True)
class ArmState:
    """What was measured at one instant."""

    time_s: float
    """On the arm's own clock [s]."""
    joint_position: Array
    """``(dof,)`` [rad]."""
    joint_velocity: Array
    """``(dof,)`` [rad/s]."""
    gripper_width: float
    """[m]."""
    objects: Mapping[str, Pose] = field(default_factory=dict[str, Pose])
    """Poses of the objects an arm's world can see, by name; a real arm sees none by itself."""


@dataclass(frozen=True, kw_only=True)
class JointTarget:
    """One shaped set-point for the servo, valid for one servo period."""

    position: Array
    """``(dof,)`` [rad]."""
    velocity: Array
    """``(dof,)`` [rad/s], fed forward."""
    acceleration: Array
    """``(dof,)`` [rad/s^2], for limit checks."""
    gripper_width: float | None = None
    """[m]; None leaves the hand as it is."""
    grasp: bool = False
    """Close on the object and hold by force rather than by width."""


class Arm(Protocol):
    """One arm. Calls never block for longer than a fraction of a servo period.

    Raises:
        ArmError: from any method, when the arm cannot do what is asked.
    """

    @property
    def spec(self) -> ArmSpec:
        """Published facts of the arm."""
        ...

    @property
    def servo_period_s(self) -> float:
        """Time between two targets [s]."""
        ...

    @property
    def is_simulated(self) -> bool:
        """True where nothing real can be moved."""
        ...

    @property
    def lockstep(self) -> bool:
        """Whether its time goes on without set-points, as a real arm's does."""
        ...

    def read(self) -> ArmState:
        """The newest measured state."""
        ...

    def command(self, target: JointTarget) -> None:
        """Sends one set-point; in simulation this also advances time by one servo period.

        Raises:
            ArmCommunicationError: it has not reached the arm, or nobody can know that it has.
        """
        ...

    def close(self) -> None:
        """Leaves the arm at rest and frees what it holds."""
        ...


class Scene(Protocol):
    """What a simulated world adds to an arm: its contents can be changed."""

    def reset(self, seed: int | None = None) -> None:
        """Puts arm and objects at a fresh random start and stops them."""
        ...

    def set_context(self, *, mass: float | None = None, friction: float | None = None) -> None:
        """Changes the object's mass [kg] or the object-table friction coefficient at once.

        Raises:
            ValueError: a value is not finite or outside what the simulation can carry.
        """
        ...

    @property
    def context(self) -> Mapping[str, float]:
        """True physical quantities, ``mass`` [kg] and ``friction``."""
        ...
