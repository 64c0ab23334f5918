"""scenes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from skill_proto.arrays import Array, Flags

FRICTIONS: tuple[float, ...] = (0.1, 1.0, 5.0, 10.0, 30.0)
"""Labels of the grid: the table's Bullet coefficient."""


MASSES: tuple[float, ...] = (1.0, 5.0, 10.0, 30.0)
"""Masses of the grid [kg]."""


OBSERVATION: tuple[str, ...] = (
    "end_effector_position",
    "end_effector_velocity",
    "gripper_width",
    "cube_position",
    "cube_quaternion",
    "cube_velocity",
    "cube_angular_velocity",
    "cube_from_end_effector",
)
"""What a policy sees: 23 numbers, fields of ``skill_robots.observation``."""


ACTION_SIZE = 4
"""Displacement of the end effector (x, y, z) and of the hand's width."""


DISPLACEMENT_M = 0.05
"""What an action of 1 adds to the measured end-effector position, per control step [m]."""


GRIPPER_WIDTH_STEP_M = 0.2
"""What an action of 1 adds to the measured width of the hand, per control step [m]."""


CONTROL_RATE_HZ = 25.0
"""Actions a second."""


AREA_M = 0.15
"""Cube and goal start uniformly within +- this around the table's origin, in x and y [m]."""


CUBE_REST_HEIGHT_M = 0.02
"""Height of the centre of a cube that lies on the table, and of the goal [m]."""


FRICTION_LIMIT = 7.0
"""Largest effective cube-table coefficient. Bullet's cube slips at half the label up to label 10,
but at 6.4 (pushed along its diagonal) to 7.5 (along its edge) at 20 and 30 alike."""


def cube_table_friction(label: Array) -> Array:
    """Effective cube-table coefficient of friction labels; one that policies can know."""
    return np.minimum(0.5 * label, FRICTION_LIMIT)


@dataclass(frozen=True, kw_only=True)
class Starts:
    """Where episodes begin; the arm always starts in panda-gym's neutral pose, cubes unturned."""

    cube: Array
    """``(n, 2)`` [m]."""
    goal: Array
    """``(n, 2)`` [m]."""

    def take(self, rows: NDArray[np.int64]) -> Starts:
        """The starts of these rows."""
        return Starts(cube=self.cube[rows], goal=self.goal[rows])


@dataclass(frozen=True, kw_only=True)
class Contacts:
    """What touches the cubes."""

    table: Flags
    """``(n,)``."""
    fingers: Flags
    """``(n, 2)``."""


class SkillAwareScenes(Protocol):
    """``n`` scenes of one physics engine, stepped together."""

    @property
    def n(self) -> int:
        """Number of scenes."""
        ...

    @property
    def goal(self) -> Array:
        """``(n, 2)`` [m]."""
        ...

    @property
    def cube_position(self) -> Array:
        """``(n, 3)`` [m]."""
        ...

    @property
    def contacts(self) -> Contacts:
        """What touches the cubes now."""
        ...

    def reset(self, starts: Starts, friction: Array, mass: Array) -> None:
        """Begins an episode in every scene; friction (label) and mass [kg] are ``(n,)``."""
        ...

    def set_context(self, friction: Array, mass: Array) -> None:
        """Changes friction (label) and mass [kg], each ``(n,)``, at once, in mid-episode."""
        ...

    def observe(self) -> Array:
        """``(n, 23)``: the fields of ``OBSERVATION``, raw SI units."""
        ...

    def step(self, action: Array) -> None:
        """One control step with ``(n, 4)`` actions in [-1, 1] (clipped)."""
        ...

    def close(self) -> None:
        """Frees the engine."""
        ...
