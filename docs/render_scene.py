"""Renders the tabletop scene to a PNG: docs/images/panda.png.

    MUJOCO_GL=egl python docs/render_scene.py --out docs/images/panda.png

Needs matplotlib (extra ``viz``). Without a screen it also needs an OpenGL that renders off-screen;
MUJOCO_GL names it: egl or osmesa.
"""

from __future__ import annotations

import argparse

import matplotlib.image
import mujoco
import numpy as np

from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.tasks.tabletop.model import tabletop_model

END_EFFECTOR = np.array([[-0.08, 0.05, 0.03]])
"""Position of the end effector, world frame [m]."""
CUBE = [-0.03, 0.09, 0.02]
"""Position of the cube's centre, world frame [m]."""


def main() -> None:
    """Poses the arm beside the cube and renders the scene."""
    parser = argparse.ArgumentParser(description="Render the tabletop scene to a PNG.")
    parser.add_argument("--out", default="scene.png")
    arguments = parser.parse_args()

    base = ActionConfig().base_position
    model = tabletop_model(0.005, base, visual=True)
    data = mujoco.MjData(model)
    data.qpos[:7] = inverse_kinematics(PANDA, END_EFFECTOR - np.array(base))[0]
    place = int(model.joint("cube").qposadr[0])
    data.qpos[place : place + 3] = CUBE
    mujoco.mj_forward(model, data)

    camera = mujoco.MjvCamera()
    camera.lookat[:] = [-0.25, 0.0, 0.25]
    camera.distance, camera.azimuth, camera.elevation = 1.5, 140, -22
    renderer = mujoco.Renderer(model, height=720, width=1080)
    renderer.update_scene(data, camera)
    matplotlib.image.imsave(arguments.out, renderer.render())


if __name__ == "__main__":
    main()
