"""Names and sizes of the objects in the worlds."""

from __future__ import annotations

CUBE = "cube"
"""Name of the object that the pushing policies act on."""

CUBE_SIZE = 0.04
"""Edge of the cube [m]."""
