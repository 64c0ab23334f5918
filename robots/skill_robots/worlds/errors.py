"""The errors of a world."""

from __future__ import annotations

from skill_robots.tasks.errors import WorldError

__all__ = ["UntrustedWorldError", "WorldError"]


class UntrustedWorldError(WorldError):
    """A file names a world that is code of its own choice: the text names file and world."""
