"""Recorded rollouts: positions of cube and end effector, commands and contexts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array


@dataclass(frozen=True, kw_only=True)
class Trajectories:
    """Rollouts of ``k`` skills, each in ``e`` episodes of ``T`` control steps."""

    cube: Array
    """``(e, k, T + 1, 2)`` true cube position in the table plane, world frame [m]."""
    end_effector: Array
    """``(e, k, T + 1, 3)`` measured end-effector position, world frame [m]."""
    skills: Array
    """``(k, Z)``."""
    mass: Array
    """``(e, k)`` cube mass [kg]."""
    friction: Array
    """``(e, k)`` cube-table friction coefficient."""
    height: Array | None = None
    """``(e, k, T + 1)`` true height of the cube above its rest on the table [m]; None if the policy
    does not drive the gripper."""
    governor_interventions: int = 0
    """Set-points beyond a limit, counted by the set-point audit."""

    @property
    def displacement(self) -> Array:
        """``(e, k, T + 1, 2)`` cube displacement from its own start [m]."""
        return self.cube - self.cube[:, :, :1]


@dataclass(frozen=True, kw_only=True)
class GoalTrajectories:
    """Rollouts towards ``n`` goals, ``T`` control steps each."""

    cube: Array
    """``(n, T + 1, 2)`` true cube position in the table plane, world frame [m]."""
    cube_speed: Array
    """``(n, T + 1)`` true horizontal speed of the cube [m/s]."""
    end_effector: Array
    """``(n, T + 1, 3)`` measured end-effector position, world frame [m]."""
    goals: Array
    """``(n, 2)`` desired cube position, world frame [m]."""
    mass: Array
    """``(n,)`` cube mass [kg]."""
    friction: Array
    """``(n,)`` cube-table friction coefficient."""
    governor_interventions: int = 0
    """Set-points beyond a limit, counted by the set-point audit."""

    @property
    def distance(self) -> Array:
        """``(n, T + 1)`` distance of the cube from its goal [m]."""
        return np.linalg.norm(self.cube - self.goals[:, None], axis=-1)

    @property
    def final_distance(self) -> Array:
        """``(n,)`` distance at the end [m]."""
        return self.distance[:, -1]
