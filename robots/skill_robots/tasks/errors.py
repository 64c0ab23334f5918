"""The error of a world, or of the scenes that it is made of."""

from __future__ import annotations


class WorldError(ValueError):
    """A world cannot be built, or is given what it cannot use: the text names reason and fix."""
