"""Which masses can arm and grip hold?"""

from __future__ import annotations

from contextlib import closing

import numpy as np

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_robots.worlds.lift.world import held_starts

HEIGHT_M = 0.14
"""Height of the held cube at the start, in the middle of the goals [m]."""
MASSES_KG = (0.1, 0.4, 0.8, 1.2, 1.6, 1.8, 2.0)
STEPS = 60
"""Control steps, 2.4 s."""


def hold(masses: Array) -> tuple[Array, Array]:
    """Holds cubes in the air for 2.4 s, with the strongest grip and a constant set-point.

    Args:
        masses: ``(n,)`` [kg].

    Returns:
        The sag of the hand below its set-point and the slip of the cube in the hand, ``(n,)`` each,
        at the end [m].
    """
    n = len(masses)
    tabletop = Tabletop(TabletopConfig(gripper=True), n)
    with closing(tabletop.physics):
        tabletop.begin(np.arange(n), *held_starts(n, HEIGHT_M))
        tabletop.set_context(mass=masses)
        still = np.tile([0.0, 0.0, 0.0, -1.0], (n, 1))
        for _ in range(STEPS):
            tabletop.step(still)
        ends = tabletop.end_effectors
        sag = ends.setpoint[:, 2] - ends.measured[:, 2]
        return sag, ends.measured[:, 2] - tabletop.cube_position[:, 2]
