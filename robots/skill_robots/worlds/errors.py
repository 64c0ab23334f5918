"""The error of a world that cannot be built."""

from __future__ import annotations


class WorldError(ValueError):
    """A world cannot be built: the text names the reason and the fix."""
