"""Bounds of simulated objects, the same on the wire and on every command line."""

from __future__ import annotations

MASS_KG = (0.001, 100.0)
"""Smallest and largest mass of the object [kg]."""

FRICTION = (0.001, 10.0)
"""Smallest and largest effective coefficient of friction between object and table."""
