"""A pusher written by hand: the plant can be measured with it before anything is trained."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.motion.action import ActionConfig
from skill_robots.observation import PUSH_OBSERVATION, layout

BEHIND_M = 0.06
"""Where the hand comes down: this far behind the cube's centre [m]."""

FLY_M = 0.09
"""Height of the end effector on the way [m]; the fingertips clear the cube."""

PUSH_M = 0.022
"""Height of the end effector while it pushes [m]."""

LOW_M = 0.04
"""Below this height the hand is taken to be down [m]."""


class ScriptedPusher:
    """Goes round the cube, comes down behind it as the skill points, and pushes along it.

    Stateless: each action follows from the observation alone. Implements the Policy protocol, with
    unit vectors of the plane as skills.

    Args:
        speed: of a push, as a share of the largest action.
        side_gain: how strongly the hand is kept behind the cube's middle while it pushes [1/s].
    """

    def __init__(self, speed: float = 1.0, side_gain: float = 12.5) -> None:
        self._speed, self._side_gain = speed, side_gain
        self._fields = layout(PUSH_OBSERVATION)
        self._step_m = ActionConfig().displacement
        self.pushing = np.zeros(0, dtype=bool)
        """``(n,)``: where the last action was a push."""

    def reset(self, n: int) -> None:
        """Nothing to forget."""

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """``(n, 3)`` actions.

        Raises:
            ValueError: no direction was given.
        """
        if skill is None:
            raise ValueError("the scripted pusher needs a skill: a unit vector in the plane")
        read = {name: observation[:, part] for name, part in self._fields.items()}
        hand = read["end_effector_position"]
        setpoint = hand + read["setpoint_gap"]
        from_hand = read["cube_from_end_effector"][:, :2]
        along = np.sum(from_hand * skill, axis=1, keepdims=True)
        across = from_hand - along * skill
        aligned = (along > 0.02) & (np.linalg.norm(across, axis=1, keepdims=True) < 0.015)
        down = hand[:, 2:] < LOW_M
        pushing = aligned & down
        to_start = read["cube_position"][:, :2] - BEHIND_M * skill - setpoint[:, :2]
        plane = np.where(
            pushing,
            self._speed * skill + self._side_gain * across,
            to_start / self._step_m,
        )
        # Straight down behind the cube, not down and onto it.
        at_start = np.linalg.norm(to_start, axis=1, keepdims=True) < 0.03
        height = np.where(pushing | (aligned & at_start), PUSH_M, FLY_M)
        climb = (height - setpoint[:, 2:]) / self._step_m
        self.pushing = pushing[:, 0]
        return np.clip(np.concatenate([plane, climb], axis=1), -1.0, 1.0)
