"""The error of a world, or of the scenes that it is made of."""

from __future__ import annotations


class WorldError(ValueError):
    """A world cannot be built, or an argument does not fit it. The text has reason and fix."""
