"""the cube: its name and size."""

from __future__ import annotations

CUBE = "cube"
"""Name of the object that the pushing policies act on."""


CUBE_SIZE = 0.04
"""Edge of the cube [m]."""
