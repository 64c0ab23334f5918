"""A scripted lifter, to measure the plant with the gripper without a trained policy."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.observation import GRIPPER_OBSERVATION, layout

FLY_M = 0.09
"""Height of the end effector above the cube [m]; the fingertips clear it."""

GRASP_M = 0.02
"""Height of the end effector that grasps [m]: that of the cube's centre."""

LIFT_M = 0.15
"""Height of the end effector that has lifted [m]."""

OVER_M = 0.012
"""Largest horizontal distance from the cube at which the open hand goes down [m]."""

OPEN_M = 0.9 * PANDA.gripper_width_max
"""Width from which the hand goes down [m]."""

EMPTY_M = 0.03
"""Width below which the hand holds no cube [m]."""

CLOSE_STEPS = 22
"""Control steps of closing: a whole opening at 0.1 m/s, and two more."""

CLIMB = 0.5
"""Largest upward action while lifting."""

_APPROACH, _CLOSE, _LIFT = 0, 1, 2


class ScriptedLifter:
    """Opens the hand above the cube, goes down, grasps and lifts; implements ``Policy``."""

    def __init__(self) -> None:
        self._fields = layout(GRIPPER_OBSERVATION)
        self._step_m = ActionConfig().displacement
        self.reset(0)

    def reset(self, n: int) -> None:
        """Starts ``n`` new episodes."""
        self._phase = np.full(n, _APPROACH)
        self._steps = np.zeros(n, np.int64)

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns ``(n, 4)`` actions; skill and goal are ignored."""
        del skill, goal
        read = {name: observation[:, part] for name, part in self._fields.items()}
        hand, width = read["end_effector_position"], read["gripper_width"][:, 0]
        away = np.linalg.norm(read["cube_from_end_effector"][:, :2], axis=1)
        self._advance(hand[:, 2], width, away)
        approaching, lifting = self._phase == _APPROACH, self._phase == _LIFT
        ready = (away < OVER_M) & (width > OPEN_M)
        height = np.where(approaching & ~ready, FLY_M, np.where(lifting, LIFT_M, GRASP_M))
        setpoint = hand + read["setpoint_gap"]
        across = read["cube_position"][:, :2] - setpoint[:, :2]
        across[~approaching] = 0.0
        move = np.column_stack([across, height - setpoint[:, 2]]) / self._step_m
        move = np.clip(move, -1.0, np.where(lifting, CLIMB, 1.0)[:, None])
        return np.column_stack([move, np.where(approaching, 1.0, -1.0)])

    def _advance(self, height: Array, width: Array, away: Array) -> None:
        """Moves each episode to its next phase."""
        self._steps += 1
        down = (self._phase == _APPROACH) & (height < GRASP_M + 0.006) & (away < OVER_M)
        closed = (self._phase == _CLOSE) & (self._steps > CLOSE_STEPS)
        lost = (self._phase == _LIFT) & (width < EMPTY_M)
        for chosen, phase in ((down, _CLOSE), (closed, _LIFT), (lost, _APPROACH)):
            self._phase[chosen] = phase
            self._steps[chosen] = 0
