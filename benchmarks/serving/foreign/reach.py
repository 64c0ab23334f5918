"""Reaching worlds of kinematics alone, in which trainers of others learn in seconds.

The end effector follows its target at once, as panda-gym's nearly does. Spaces and scales are those
of panda-gym (``PandaReach-v3``): goals 15 cm around the origin and up to 30 cm high, 5 cm per step,
observations ``achieved_goal``, ``desired_goal`` and ``observation``.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from skill_proto.arrays import Array, Flags, Ids
from skill_robots.franka.specs import PANDA
from skill_robots.motion.inverse_kinematics import inverse_kinematics

PERIOD_S = 0.04
STEP_M = 0.05
EPISODE_STEPS = 25
LOW, HIGH = np.array([-0.15, -0.15, 0.02]), np.array([0.10, 0.15, 0.24])
"""Box of starts and goals [m], inside the workspace of the served arm."""
BASE = np.array([-0.6, 0.0, 0.0])


class ReachEnv(gymnasium.Env[dict[str, Any], Any]):
    """One end effector that moves by up to 5 cm along each axis per step."""

    def __init__(self) -> None:
        box = spaces.Box(-10.0, 10.0, (3,), np.float32)
        self.observation_space = spaces.Dict(
            achieved_goal=box,
            desired_goal=box,
            observation=spaces.Box(-10.0, 10.0, (6,), np.float32),
        )
        self.action_space = spaces.Box(-1.0, 1.0, (3,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Draws a start and a goal."""
        super().reset(seed=seed, options=options)
        self._position, self._goal = self.np_random.uniform(LOW, HIGH, (2, 3))
        self._velocity = np.zeros(3)
        self._steps = 0
        return self._observation(), {}

    def step(self, action: Array) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Moves, and rewards by the negative distance in metres."""
        moved = STEP_M * np.clip(action, -1.0, 1.0)
        self._position = self._position + moved
        self._velocity = moved / PERIOD_S
        self._steps += 1
        distance = float(np.linalg.norm(self._position - self._goal))
        return self._observation(), -distance, False, self._steps >= EPISODE_STEPS, {}

    def _observation(self) -> dict[str, Any]:
        return {
            "achieved_goal": self._position.astype(np.float32),
            "desired_goal": self._goal.astype(np.float32),
            "observation": np.concatenate([self._position, self._velocity]).astype(np.float32),
        }


class JointReach:
    """n arms whose joints follow ``default + SCALE * action``, as a task of Isaac Lab.

    The observation is the terms ``joint_pos`` (relative to the default), ``joint_vel``, ``actions``
    (the last output) and ``pose_command`` (the goal in the frame of the base).
    """

    SCALE = 0.5
    MAX_STEP = 0.06
    """Largest change of a joint per step [rad]."""

    def __init__(self, n: int, seed: int = 0) -> None:
        self.n = n
        self._rng = np.random.default_rng(seed)
        middle = np.array([[-0.02, 0.0, 0.13]])
        self.default = inverse_kinematics(PANDA, middle - BASE)[0]
        self.joints = np.tile(self.default, (n, 1))
        self.speed, self.action = np.zeros((n, 7)), np.zeros((n, 7))
        self.goal = np.zeros((n, 3))
        self.steps = np.zeros(n, np.int64)
        self.reset(np.arange(n))
        # Episodes end at different times.
        self.steps[:] = self._rng.integers(0, 2 * EPISODE_STEPS, n)

    def reset(self, ids: Ids) -> None:
        """Starts episodes in the arms ``ids``."""
        k = len(ids)
        self.joints[ids] = self.default + self._rng.uniform(-0.1, 0.1, (k, 7))
        self.goal[ids] = self._rng.uniform(LOW, HIGH, (k, 3))
        self.speed[ids] = self.action[ids] = 0.0
        self.steps[ids] = 0

    def step(self, action: Array) -> tuple[Array, Flags]:
        """Moves all arms; returns rewards and the flags of ended episodes, ``(n,)``."""
        target = self.default + self.SCALE * action
        change = np.clip(target - self.joints, -self.MAX_STEP, self.MAX_STEP)
        change = (
            np.clip(self.joints + change, PANDA.position_low, PANDA.position_high) - self.joints
        )
        self.joints = self.joints + change
        self.speed = change / PERIOD_S
        smooth = np.square(action - self.action).sum(axis=1)
        self.action = action.copy()
        self.steps += 1
        point = PANDA.kinematics.forward(self.joints).position + BASE
        distance = np.linalg.norm(point - self.goal, axis=1)
        reward = -distance + 0.5 * np.exp(-np.square(distance / 0.05)) - 0.002 * smooth
        done = self.steps >= 2 * EPISODE_STEPS
        if done.any():
            self.reset(np.flatnonzero(done))
        return reward, done

    def observation(self) -> Array:
        """Returns ``(n, 24)``."""
        terms = (self.joints - self.default, self.speed, self.action, self.goal - BASE)
        return np.concatenate(terms, axis=1)
