"""The inputs of the next inference, in memory that is allocated once.

Requests write their arrays here as they arrive, one after the other. A graph whose inputs are bound
to this memory (``bound_policy``) reads them without another copy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Float32Array, FloatArray
from skill_proto.manifest import PolicyManifest

COMMANDS = ("skill", "goal")
"""Inputs of which a row has one at most."""


@dataclass(slots=True)
class FirstRow:
    """The first row, on which a request that is alone runs; its views are made once."""

    observation_bytes: memoryview
    observation: Float32Array
    """``(O,)``."""
    commanded_by: object = None
    """Whose command the row has now; None if that is not known."""


class InputRows:
    """Rows of ``observation``, ``previous_action``, ``skill`` and ``goal``.

    Args:
        manifest: Gives the length of each row.
        rows: Capacity. There is space for twice as many, for standby recurrent states.

    Attributes:
        tensors: ``(2 * rows, ...)`` by name; a policy without skills or goals lacks them.
        use_goal: ``(2 * rows, 1)``: 1 if the row has a goal.
        own_action: Rows whose previous action was sent; the others continue from their last one.
    """

    def __init__(self, manifest: PolicyManifest, rows: int) -> None:
        sizes = {"observation": manifest.observation_size, "previous_action": manifest.action_size}
        commands = {"skill": manifest.skill.size, "goal": manifest.goal_size}
        sizes |= {name: size for name, size in commands.items() if size}
        self.capacity = rows
        self.tensors: dict[str, Float32Array] = {
            name: np.zeros((2 * rows, size), np.float32) for name, size in sizes.items()
        }
        fill = np.zeros if "skill" in sizes else np.ones
        self.use_goal = fill((2 * rows, 1), np.float32)
        self.own_action: list[bool] = [False] * rows
        self.row_bytes = {name: 4 * size for name, size in sizes.items()}
        self._bytes = {
            name: memoryview(array.data).cast("B") for name, array in self.tensors.items()
        }
        self.first = FirstRow(
            self._bytes["observation"][: self.row_bytes["observation"]],
            self.tensors["observation"][0],
        )
        self._has_both = "skill" in sizes and "goal" in sizes

    def write_bytes(self, name: str, first: int, data: memoryview | bytes) -> None:
        """Writes whole rows in single precision, little-endian, from row ``first`` on."""
        start = first * self.row_bytes[name]
        self._bytes[name][start : start + len(data)] = data
        self.first.commanded_by = None

    def is_finite(self, name: str, first: int, rows: int) -> bool:
        """Returns whether all entries of these rows are finite.

        It may return False for finite entries beyond 1e18, so the caller looks again.
        """
        flat = self.tensors[name][first : first + rows].reshape(-1)
        # One pass without a temporary array; a NaN or an infinity reaches the sum of squares.
        return math.isfinite(flat.dot(flat))

    def choose_command(self, name: str, first: int, rows: int) -> None:
        """Marks that these rows follow ``name``, 'skill' or 'goal', and clears the other one."""
        if self._has_both:
            is_goal = name == "goal"
            other = "skill" if is_goal else "goal"
            self.use_goal[first : first + rows] = is_goal
            self.tensors[other][first : first + rows] = 0.0

    def write(self, first: int, arrays: Mapping[str, FloatArray]) -> None:
        """Writes validated arrays of one request, each ``(n, ...)``, from row ``first`` on."""
        rows = len(arrays["observation"])
        self.first.commanded_by = None
        for name, array in arrays.items():
            self.tensors[name][first : first + rows] = array
            if name in COMMANDS:
                self.choose_command(name, first, rows)
        self.own_action[first : first + rows] = [("previous_action" in arrays)] * rows

    def copy(self, first: int, rows: int) -> InputRows:
        """Returns these rows apart, as the first ones of other memory."""
        copied = InputRows.__new__(InputRows)
        last = first + rows
        copied.capacity = rows
        copied.tensors = {name: array[first:last].copy() for name, array in self.tensors.items()}
        copied.use_goal = self.use_goal[first:last].copy()
        copied.own_action = self.own_action[first:last]
        return copied

    def restore(self, copied: InputRows) -> None:
        """Writes copied rows to the first rows."""
        n = copied.capacity
        self.first.commanded_by = None
        for name, array in copied.tensors.items():
            self.tensors[name][:n] = array
        self.use_goal[:n] = copied.use_goal
        self.own_action[:n] = copied.own_action
