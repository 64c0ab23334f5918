"""MotionGenerator: the interface of a motion generator, and masks of error bits."""

from __future__ import annotations

from typing import Protocol

from skill_robots.control_box.generators.joint_motion import JointMotion
from skill_robots.control_box.wire.protocol import ErrorBit
from skill_robots.control_box.wire.protocol import Protocol as WireProtocol
from skill_robots.control_box.wire.robot_command import RobotCommand


class MotionGenerator(Protocol):
    """Turns commands into joint set-points.

    Every method returns the errors of the cycle as a mask, 0 without an error. All limits that a
    command breaks are in the mask. With an error the set-point stays that of the last cycle.
    """

    @property
    def motion(self) -> JointMotion:
        """The set-point of this cycle."""
        ...

    def follow(self, command: RobotCommand) -> int:
        """Advances by one cycle with a command."""
        ...

    def extrapolate(self) -> int:
        """Advances by one cycle whose command did not arrive."""
        ...

    def finish(self) -> int:
        """Ends the motion after the last command; the set-point must be able to stop there."""
        ...


def error_mask(protocol: WireProtocol, error: ErrorBit) -> int:
    """Returns the mask with the bit under which a version of the protocol reports an error."""
    return 1 << protocol.error_bit(error)
