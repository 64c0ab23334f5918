"""The cameras of each world: where they are, and which parts of the scene they show."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera that looks at a point."""

    name: str
    lookat_m: tuple[float, float, float]
    """The point, world frame [m]."""
    distance_m: float
    azimuth_deg: float
    """Direction of view about z: at 0 the camera looks along x, at 90 along y [degree]."""
    elevation_deg: float
    """Angle of the direction of view above the horizon; negative from above [degree]."""
    follows: bool = False
    """Whether the point moves with the x, or x and y, of the body."""
    bodies: tuple[str, ...] = ()
    """The bodies whose shapes are shown, beside those of the world; () for all."""


SIDE = View(
    name="side",
    lookat_m=(0.0, 0.0, 0.4),
    distance_m=3.2,
    azimuth_deg=90.0,
    elevation_deg=-20.0,
    follows=True,
)
"""For bodies that move in the x-z plane."""

ABOVE = View(
    name="above",
    lookat_m=(0.0, 0.0, 0.5),
    distance_m=5.0,
    azimuth_deg=90.0,
    elevation_deg=-45.0,
    follows=True,
)
"""For bodies that move on the floor."""

KITCHEN = View(
    name="kitchen",
    lookat_m=(-0.2, 0.5, 2.0),
    distance_m=2.2,
    azimuth_deg=70.0,
    elevation_deg=-35.0,
)
"""The camera of gymnasium-robotics."""

OVERHEAD = View(
    name="overhead",
    lookat_m=(-0.02, 0.0, 0.0),
    distance_m=0.9,
    azimuth_deg=180.0,
    elevation_deg=-60.0,
)
"""The tabletop from above and in front of the arm, which hides less of the cube from there."""

CUBE = replace(OVERHEAD, name="cube", bodies=("cube",))
"""The same camera without the arm, so that only the cube moves in its frames."""
