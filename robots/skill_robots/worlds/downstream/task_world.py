"""The interface of a world with a task."""

from __future__ import annotations

from typing import Protocol

from skill_proto.arrays import Array
from skill_robots.worlds.world import World


class TaskWorld(World, Protocol):
    """A world whose observation ends with the task's, and whose reward is the task's.

    The last control step of an episode is a terminal, as in the code of CSF: the task has a fixed
    number of steps, and no value remains after them.
    """

    task_size: int
    """Number of observation entries that the task adds at the end."""

    def scores(self) -> dict[str, Array]:
        """Returns scores of the present episode of each scene, ``(n,)`` by name."""
        ...
