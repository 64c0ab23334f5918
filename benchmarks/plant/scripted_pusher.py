"""A scripted pusher, to measure the plant without a trained policy."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.motion.action import ActionConfig
from skill_robots.observation import PUSH_OBSERVATION, layout

BEHIND_M = 0.06
"""Distance behind the cube's centre at which the hand goes down [m]."""

FLY_M = 0.09
"""Height of the end effector during the approach [m]; the fingertips clear the cube."""

PUSH_M = 0.022
"""Height of the end effector while it pushes [m]."""

LOW_M = 0.04
"""Height below which the hand counts as down [m]."""


class ScriptedPusher:
    """Moves behind the cube, goes down, and pushes in the direction of the skill.

    Implements the Policy protocol without a state. Skills are unit vectors in the plane.

    Args:
        speed: speed of a push, as a share of the largest action.
        side_gain: gain that keeps the hand behind the cube's middle during a push [1/s].
    """

    def __init__(self, speed: float = 1.0, side_gain: float = 12.5) -> None:
        self._speed, self._side_gain = speed, side_gain
        self._fields = layout(PUSH_OBSERVATION)
        self._step_m = ActionConfig().displacement
        self.pushing = np.zeros(0, dtype=bool)
        """``(n,)``: whether the last action was a push."""

    def reset(self, n: int) -> None:
        """Accepts any ``n``: the policy has no state."""

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns ``(n, 3)`` actions.

        Raises:
            ValueError: the skill is missing.
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
        # The hand goes down only behind the cube, not onto it.
        at_start = np.linalg.norm(to_start, axis=1, keepdims=True) < 0.03
        height = np.where(pushing | (aligned & at_start), PUSH_M, FLY_M)
        climb = (height - setpoint[:, 2:]) / self._step_m
        self.pushing = pushing[:, 0]
        return np.clip(np.concatenate([plane, climb], axis=1), -1.0, 1.0)
