"""RobotConfig: the simulated robot, and the table in front of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi
from typing import Literal

from skill_robots.arm import ArmSpec
from skill_robots.control_box.wire.protocol import FER_PROTOCOL, FR3_PROTOCOL, Protocol
from skill_robots.franka.model import FrankaRobot
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.action import ActionConfig

CYCLE_S = 0.001
"""Period of the Franka Control Interface [s]."""

READY = (0.0, -pi / 4, 0.0, -3 * pi / 4, 0.0, pi / 2, pi / 4)
"""Start of most programs of the field, for example of libfranka's examples [rad]."""


@dataclass(frozen=True, kw_only=True)
class RateLimits:
    """Limits of one part of a Cartesian motion, in metres or radians."""

    velocity: float
    """[1/s]."""
    acceleration: float
    """[1/s^2]."""
    jerk: float
    """[1/s^3]."""


@dataclass(frozen=True, kw_only=True)
class CartesianLimits:
    """Limits of a commanded Cartesian motion.

    Source: Franka Control Interface documentation, "Robot and interface specifications".
    """

    translation: RateLimits
    rotation: RateLimits
    elbow: RateLimits


FER_CARTESIAN = CartesianLimits(
    translation=RateLimits(velocity=1.7, acceleration=13.0, jerk=6500.0),
    rotation=RateLimits(velocity=2.5, acceleration=25.0, jerk=12500.0),
    elbow=RateLimits(velocity=2.175, acceleration=10.0, jerk=5000.0),
)
"""The Panda."""

FR3_CARTESIAN = CartesianLimits(
    translation=RateLimits(velocity=3.0, acceleration=9.0, jerk=4500.0),
    rotation=RateLimits(velocity=2.5, acceleration=17.0, jerk=8500.0),
    elbow=RateLimits(velocity=2.62, acceleration=10.0, jerk=5000.0),
)
"""The FR3."""


@dataclass(frozen=True, kw_only=True)
class RobotConfig:
    """A robot, its protocol and its surroundings; see :func:`robot_config`."""

    robot: FrankaRobot
    """The arm: its inertias, ranges and shapes."""
    protocol: Protocol
    """Version of the interface that it speaks."""
    spec: ArmSpec
    """Published limits of the arm."""
    cartesian_limits: CartesianLimits
    """Published limits of Cartesian motions."""
    scene: Literal["tabletop", "none"] = "tabletop"
    """The tabletop with its cube, or the arm alone in space."""
    base_position: tuple[float, float, float] = ActionConfig.base_position
    """Position of the arm's base in the world frame [m]; the world frame is the tabletop's."""
    mass: float = 0.8
    """Mass of the cube [kg]."""
    friction: float = 0.4
    """Cube-table friction coefficient."""
    cube_position: tuple[float, float] = (0.1, 0.0)
    """Position of the cube on the table at the start, world frame [m]."""
    start: tuple[float, ...] = READY
    """Joint position at the start [rad]."""
    hand_width: float = 0.0
    """Distance between the fingers at the start [m]."""
    hand_is_homed: bool = True
    """Whether the hand knows its largest width. True is a robot whose operator has homed the hand
    in Desk; after a power cycle a real hand reports a largest width of 0 and refuses to move."""
    recovery_s: float = 0.0
    """Duration of an automatic error recovery after the arm has come to rest [s]. On real robots
    it takes 0.4 to 16 s (franka_ros #317)."""

    def __post_init__(self) -> None:
        for name in ("mass", "friction"):
            value: float = getattr(self, name)
            if not 0.0 < value < float("inf"):
                raise ValueError(f"{name} must be positive and finite, got {value}")
        if not 0.0 <= self.hand_width <= self.spec.gripper_width_max:
            raise ValueError(
                f"hand_width must be in 0 to {self.spec.gripper_width_max} m, got {self.hand_width}"
            )
        low, high = self.spec.position_low.tolist(), self.spec.position_high.tolist()
        for i, (position, lowest, highest) in enumerate(zip(self.start, low, high, strict=True), 1):
            if not lowest <= position <= highest:
                raise ValueError(
                    f"start: joint {i} must be in {lowest} to {highest} rad, got {position}"
                )


_FER = RobotConfig(robot="fer", protocol=FER_PROTOCOL, spec=PANDA, cartesian_limits=FER_CARTESIAN)
_FR3 = RobotConfig(robot="fr3", protocol=FR3_PROTOCOL, spec=FR3, cartesian_limits=FR3_CARTESIAN)


def robot_config(robot: FrankaRobot, **changes: object) -> RobotConfig:
    """Returns the configuration of a Panda with protocol 5 or an FR3 with protocol 10.

    Args:
        robot: the arm.
        changes: fields of :class:`RobotConfig` that differ from their default.

    Raises:
        ValueError: a value is out of its range.
    """
    return replace(_FER if robot == "fer" else _FR3, **changes)
