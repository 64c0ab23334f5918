"""The errors of a world that cannot be built."""

from __future__ import annotations


class WorldError(ValueError):
    """A world cannot be built: the text names the reason and the fix."""


class UntrustedWorldError(WorldError):
    """A file names a world that is code of its own choice: the text names file and world."""
