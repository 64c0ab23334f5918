"""The Panda as a MuJoCo model, to be placed in a scene."""

from __future__ import annotations

from importlib import resources

import mujoco


def panda_spec() -> mujoco.MjSpec:
    """A fresh, editable model of the arm with its hand, root body ``panda_link0`` at the origin.

    Every geom has contype and conaffinity 0: the scene names the contact pairs it wants, between
    its objects and the geoms ``palm``, ``left_finger`` and ``right_finger``.
    """
    text = resources.files("skill_robots.franka").joinpath("panda.xml").read_text(encoding="utf-8")
    return mujoco.MjSpec.from_string(text)
