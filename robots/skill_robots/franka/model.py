"""The Panda as a MuJoCo model, to be placed in a scene."""

from __future__ import annotations

from importlib import resources

import mujoco

FINGER_JOINTS = ("panda_finger_joint1", "panda_finger_joint2")
"""Names of the fingers' slide joints; the gripper width is the sum of their positions."""

FINGER_OPEN_M = 0.04
"""Position of each finger joint of a fully open gripper [m]."""


def panda_spec() -> mujoco.MjSpec:
    """Returns a new, editable model of the arm and its gripper, body ``panda_link0`` at the origin.

    Every geom has contype and conaffinity 0: the scene adds its contact pairs between its objects
    and the geoms ``palm``, ``left_finger`` and ``right_finger``.
    """
    text = resources.files("skill_robots.franka").joinpath("panda.xml").read_text(encoding="utf-8")
    return mujoco.MjSpec.from_string(text)
