"""Meaning of the indices in a state record, and their texts on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, get_args

from skill_proto.messages import FaultClass, GoalStatus, Mode

MODES: tuple[Mode, ...] = get_args(Mode)
FAULTS: tuple[FaultClass, ...] = get_args(FaultClass)
GOAL_STATUSES: tuple[GoalStatus, ...] = get_args(GoalStatus)
COMMANDS = ("skill", "goal", "servo_joint", "servo_pose", "demo")
"""Kinds of the active command."""

T = TypeVar("T")


def index_of(value: T | None, values: Sequence[T]) -> int:
    """Returns the index of a value; -1 for None."""
    return -1 if value is None else values.index(value)


def value_at(index: int, values: Sequence[T]) -> T | None:
    """Returns the value of an index; None for -1."""
    return None if index < 0 else values[index]
