"""Modes of a robot, as its state reports them."""

from __future__ import annotations

from enum import IntEnum


class RobotMode(IntEnum):
    """``robot_mode`` of the state; the values are those on the wire and of libfranka."""

    OTHER = 0
    IDLE = 1
    MOVE = 2
    GUIDING = 3
    REFLEX = 4
    USER_STOPPED = 5
    AUTOMATIC_ERROR_RECOVERY = 6
