"""The Franka arms as MuJoCo models, to be placed in a scene.

``panda.xml`` is the Panda. The FR3 is a variation of it: other inertias and ranges (``fr3``), the
shapes of the collision model (``shapes``), but the same joint frames, hand and actuators, and the
same names, so that a scene takes either arm.
"""

from __future__ import annotations

from importlib import resources
from typing import Literal

import mujoco

from skill_robots.franka import fr3
from skill_robots.franka.shapes import replace_link_shapes

FrankaRobot = Literal["fer", "fr3"]
"""Names as in franka_description: the Panda (FER) and the Franka Research 3."""

FINGER_JOINTS = ("panda_finger_joint1", "panda_finger_joint2")
"""Names of the fingers' slide joints; the gripper width is the sum of their positions."""

FINGER_OPEN_M = 0.04
"""Position of each finger joint of a fully open gripper [m]."""


def franka_spec(robot: FrankaRobot) -> mujoco.MjSpec:
    """Returns a new, editable model of an arm and its gripper, body ``panda_link0`` at the origin.

    Bodies, joints and actuators have the same names for both arms. Every geom has contype and
    conaffinity 0: the scene adds its contact pairs between its objects and the geoms ``palm``,
    ``left_finger`` and ``right_finger``.
    """
    spec = panda_spec()
    if robot == "fr3":
        _make_fr3(spec)
    return spec


def panda_spec() -> mujoco.MjSpec:
    """Returns ``franka_spec("fer")``, the arm of the plant of training (docs/plant.md)."""
    text = resources.files("skill_robots.franka").joinpath("panda.xml").read_text(encoding="utf-8")
    return mujoco.MjSpec.from_string(text)


def _make_fr3(spec: mujoco.MjSpec) -> None:
    spec.modelname = "fr3"
    for name, inertial in fr3.INERTIALS.items():
        body = spec.body(name)
        body.mass = inertial.mass
        body.ipos = inertial.centre
        body.fullinertia = inertial.tensor
    ranges = zip(fr3.POSITION_LOW, fr3.POSITION_HIGH, strict=True)
    for i, (low, high) in enumerate(ranges, 1):
        spec.joint(f"panda_joint{i}").range = (low, high)
    replace_link_shapes(spec)
