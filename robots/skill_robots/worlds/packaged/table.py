"""Worlds of pixels in METRA and CSF: Quadruped and Humanoid of dm_control, and the kitchen.

Only the MJCF files of these packages are read; no code of them is imported. The worlds have no
reward. Differences from those of the papers, beside the floor (see ``camera.floor``):

- Quadruped and Humanoid start upright in the pose of the file, with a little noise. dm_control
  starts the Humanoid in a random pose.
- The kitchen is that of gymnasium-robotics, whose actions move the joints of the arm. The papers'
  kitchen moves its hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array
from skill_robots.worlds.bodies import Body, Motion


def no_reward(motion: Motion) -> Array:
    """Returns zeros."""
    return np.zeros(len(motion.forward))


@dataclass(frozen=True, kw_only=True)
class PackagedBody(Body):
    """A body, or a scene, of another package."""

    package: str
    """Name by which the package is imported."""
    distribution: str
    """Name by which it is installed."""
    dropped: tuple[str, ...] = ()
    """Names of bodies and geoms that are left out."""


def _of_dm_control(
    name: str, title: str, *, frame_skip: int, dropped: tuple[str, ...] = ()
) -> PackagedBody:
    """Returns a body of dm_control that moves on the floor; ``name`` is that of its file."""
    return PackagedBody(
        name=f"dm_{name}",
        title=f"{title} of dm_control",
        package="dm_control",
        distribution="dm-control",
        mjcf=f"suite/{name}.xml",
        dropped=dropped,
        frame_skip=frame_skip,
        plane=(0, 1),
        height=2,
        noise=1e-2,
        velocity_noise="uniform",
        reward=no_reward,
        goal_range_m=30.0,
    )


DM_QUADRUPED = _of_dm_control(
    "quadruped",
    "Quadruped",
    frame_skip=8,  # dm_control's 0.02 s, with the papers' action repeat of 2
    dropped=("wall_px", "wall_py", "wall_nx", "wall_ny", "terrain", "ball"),
)

DM_HUMANOID = _of_dm_control(
    "humanoid",
    "Humanoid",
    frame_skip=10,  # dm_control's 0.025 s, with the papers' action repeat of 2
)

KITCHEN = PackagedBody(
    name="kitchen",
    title="the kitchen of gymnasium-robotics",
    package="gymnasium_robotics",
    distribution="gymnasium-robotics",
    mjcf="envs/assets/kitchen_franka/kitchen_assets/kitchen_env_model.xml",
    frame_skip=40,
    plane=(),
    height=0,
    noise=0.0,
    velocity_noise="uniform",
    reward=no_reward,
    keyframe=True,
    joint_step=0.16,  # 2 rad/s for 0.08 s
    goal_range_m=0.0,
)

PACKAGED: dict[str, PackagedBody] = {
    body.name: body for body in (DM_QUADRUPED, DM_HUMANOID, KITCHEN)
}
"""Every row by its name."""
