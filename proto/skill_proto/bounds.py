"""Bounds of what a simulated object can be set to, the same wherever it is set."""

from __future__ import annotations

MASS_KG = (0.001, 100.0)
"""Least and greatest mass of the object [kg]."""

FRICTION = (0.001, 10.0)
"""Least and greatest effective coefficient of friction between object and table."""
