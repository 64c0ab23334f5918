"""Shapes around the links of a Franka arm, for distances to the table and between links.

Capsules of our own, fitted to the published geometry: every vertex of the meshes of
franka_description 1.0.1 (frankarobotics, ``meshes/robot_arms``: ``fer``, ``fr3`` and its revision
``fr3v2``) is inside of them (``benchmarks/arms/geometry/collision_shapes.py``). The outer shapes of
the arms differ by a few millimetres only, so all have the same capsules.

The shapes of ``panda.xml`` are for display and, at the hand, for contacts of the trained plant. Its
links reach up to 63 mm out of them, at the ends of the joint axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import mujoco

from skill_robots.kinematics import Point


class Capsule(NamedTuple):
    """A cylinder with half spheres at its ends, in the frame of its link."""

    start: Point
    """Centre of one half sphere [m]."""
    end: Point
    """Centre of the other [m]."""
    radius: float
    """[m]."""


LINK_SHAPES: Mapping[str, tuple[Capsule, ...]] = {
    "panda_link0": (
        Capsule((-0.055, 0.0, 0.041), (-0.045, 0.0, 0.041), 0.120),
        Capsule((0.022, 0.0, 0.063), (0.022, 0.0, 0.085), 0.084),
    ),
    "panda_link1": (
        Capsule((0.0, 0.0, -0.158), (0.0, -0.043, -0.059), 0.0664),
        Capsule((0.0, -0.080, -0.003), (0.0, -0.019, 0.0), 0.0590),
    ),
    "panda_link2": (
        Capsule((0.0, -0.156, 0.001), (0.0, -0.003, 0.036), 0.0688),
        Capsule((0.0, 0.0, 0.083), (0.0, -0.020, 0.080), 0.0548),
    ),
    "panda_link3": (
        Capsule((0.0, 0.0, -0.065), (0.013, 0.014, -0.058), 0.0815),
        Capsule((0.082, 0.057, 0.0), (0.0825, 0.023, 0.001), 0.0610),
    ),
    "panda_link4": (
        Capsule((0.0, 0.0, 0.051), (0.0, 0.0, 0.033), 0.0657),
        Capsule((-0.075, 0.071, 0.007), (-0.075, 0.067, 0.010), 0.0850),
    ),
    "panda_link5": (
        Capsule((0.0, 0.0, -0.2295), (0.0, 0.0, -0.2255), 0.065),
        Capsule((0.0, 0.043, -0.183), (0.0, 0.0985, -0.070), 0.049),
        Capsule((0.0, 0.0885, 0.0), (0.0, 0.0415, 0.0), 0.057),
    ),
    "panda_link6": (
        Capsule((0.0185, 0.002, 0.0045), (0.0757, -0.008, 0.001), 0.0713),
        Capsule((0.083, 0.0445, 0.001), (0.082, 0.045, 0.001), 0.0485),
    ),
    "panda_link7": (Capsule((-0.005, -0.005, 0.073), (0.032, 0.033, 0.0815), 0.051),),
}
"""By the name of the body."""

HAND_SHAPE = Capsule((0.0, -0.073, 0.004), (0.0, 0.057, 0.004), 0.0325)
"""Lower part of the Franka Hand, which ``palm`` of panda.xml does not contain."""

_HAND = "panda_hand"
_COVERED = ("hand_collar", "hand_badge")
"""Shapes of panda.xml inside of the palm and :data:`HAND_SHAPE`, or for display only."""


def replace_link_shapes(spec: mujoco.MjSpec) -> None:
    """Replaces the shapes of links 0 to 7 by :data:`LINK_SHAPES`."""
    for name, shapes in LINK_SHAPES.items():
        body = spec.body(name)
        for geom in list(body.geoms):
            spec.delete(geom)
        for i, shape in enumerate(shapes):
            _add(spec, body, f"{name}_{i}", shape)


def replace_hand_shapes(spec: mujoco.MjSpec) -> None:
    """Replaces the shapes of the hand that no contact of the plant uses."""
    for name in _COVERED:
        spec.delete(spec.geom(name))
    _add(spec, spec.body(_HAND), f"{_HAND}_0", HAND_SHAPE)


def _add(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, shape: Capsule) -> None:
    body.add_geom(
        spec.find_default("panda"),
        name=name,
        type=mujoco.mjtGeom.mjGEOM_CAPSULE,
        fromto=(*shape.start, *shape.end),
        size=(shape.radius, 0.0, 0.0),
    )
