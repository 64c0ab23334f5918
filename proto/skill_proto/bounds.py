"""Bounds that hold in more than one place: on the wire, on command lines, in error texts."""

from __future__ import annotations

MASS_KG = (0.001, 100.0)
"""Smallest and largest mass of the object [kg]."""

FRICTION = (0.001, 10.0)
"""Smallest and largest effective coefficient of friction between object and table."""

SERVO_RATE_HZ = (100.0, 2000.0)
"""Smallest and largest servo rate of a server [Hz]."""
