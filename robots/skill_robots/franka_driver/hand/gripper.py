"""The gripper behind panda-python (FER) and franky (FR3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from skill_robots.franka.handshake import FR3_VERSION
from skill_robots.franka_driver.config import HandStart


class Gripper(Protocol):
    """A gripper behind a vendor's library; :meth:`stop` may come from another thread."""

    def read(self) -> tuple[float, float, bool]:
        """Returns width and maximum width [m], and whether an object is grasped."""
        ...

    def homing(self) -> bool:
        """Finds the maximum width; blocks."""
        ...

    def move(self, width: float, speed: float) -> bool:
        """Opens or closes to a width [m] at a speed [m/s]; blocks."""
        ...

    def grasp(self, width: float, speed: float, force: float, inner: float, outer: float) -> bool:
        """Closes until the force [N] is reached; blocks."""
        ...

    def stop(self) -> bool:
        """Stops a motion."""
        ...


class HandStartError(Exception):
    """The gripper cannot be used; the text names the remedy."""


class LibfrankaGripper:
    """The gripper of panda-python, or of franky, whose calls are alike.

    Args:
        gripper: The vendor's object.
        read_once: Returns the vendor's state of the gripper.
    """

    def __init__(
        self,
        gripper: Any,  # noqa: ANN401  the libraries have no types
        read_once: Callable[[], Any],
    ) -> None:
        self._read_once = read_once
        self.homing = gripper.homing
        self.move = gripper.move
        self.grasp = gripper.grasp
        self.stop = gripper.stop

    def read(self) -> tuple[float, float, bool]:
        """Returns width and maximum width [m], and whether an object is grasped."""
        state = self._read_once()
        return state.width, state.max_width, bool(state.is_grasped)


def connect(start: HandStart) -> Gripper:
    """Connects to the gripper through the library of the robot's version.

    Raises:
        HandStartError: no gripper answers.
    """
    try:
        if start.version == FR3_VERSION:
            import franky

            hand: Any = franky.Gripper(start.address)
            return LibfrankaGripper(hand, lambda: hand.state)
        from panda_py import libfranka

        hand = libfranka.Gripper(start.address)
        return LibfrankaGripper(hand, hand.read_once)
    except Exception as error:  # the libraries' exceptions share no base but Exception
        raise HandStartError(
            f"the gripper does not answer: {error}; choose the Franka Hand as end effector in "
            "Desk, or start with the option for a robot without a gripper (--no-gripper)"
        ) from None
