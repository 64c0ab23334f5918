"""The scenes of the skill-aware benchmark: constants, starts, contacts, and their interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from skill_proto.arrays import Array, Flags

FRICTIONS: tuple[float, ...] = (0.1, 1.0, 5.0, 10.0, 30.0)
"""Friction labels of the grid: the table's Bullet coefficient."""

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
"""Observation of a policy: 23 numbers, fields of ``skill_robots.observation``."""

ACTION_SIZE = 4
"""Displacement of the end effector (x, y, z) and change of the gripper width."""

DISPLACEMENT_M = 0.05
"""Displacement of an action of 1 from the measured end effector, per control step [m]."""

GRIPPER_WIDTH_STEP_M = 0.2
"""Change of an action of 1 to the measured gripper width, per control step [m]."""

CONTROL_RATE_HZ = 25.0
"""Control steps per second."""

AREA_M = 0.15
"""Cube and goal start uniformly within +- this around the table's origin, in x and y [m]."""

CUBE_REST_HEIGHT_M = 0.02
"""Height of the centre of a cube that lies on the table, and of the goal [m]."""

FRICTION_LIMIT = 7.0
"""Largest effective cube-table coefficient. In Bullet the cube slips at half the label up to label
10, and at 6.4 (pushed along its diagonal) to 7.5 (along its edge) at labels 20 and 30."""


def cube_table_friction(label: Array) -> Array:
    """Returns the effective cube-table coefficient of friction labels, the one in manifests."""
    return np.minimum(0.5 * label, FRICTION_LIMIT)


@dataclass(frozen=True, kw_only=True)
class Starts:
    """Initial states of episodes. Cubes start without yaw."""

    cube: Array
    """``(n, 2)`` [m]."""
    goal: Array
    """``(n, 2)`` [m]."""
    hand: Array | None = None
    """``(n, 3)`` places of the end effector, which points down [m]; a row of NaN, and None for all
    rows: the arm starts in panda-gym's neutral pose."""
    width: Array | None = None
    """``(n,)`` openings of the gripper [m]; None: closed."""

    def take(self, rows: NDArray[np.int64]) -> Starts:
        """Returns the starts of these rows."""
        return Starts(
            cube=self.cube[rows],
            goal=self.goal[rows],
            hand=None if self.hand is None else self.hand[rows],
            width=None if self.width is None else self.width[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Contacts:
    """Contacts of the cubes."""

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
        """The current contacts of the cubes."""
        ...

    def reset(self, starts: Starts, friction: Array, mass: Array) -> None:
        """Starts an episode in every scene; friction (label) and mass [kg] are ``(n,)``."""
        ...

    def set_context(self, friction: Array, mass: Array) -> None:
        """Sets friction (label) and mass [kg], each ``(n,)``, also during an episode."""
        ...

    def observe(self) -> Array:
        """Returns the fields of ``OBSERVATION`` ``(n, 23)``, raw SI units."""
        ...

    def step(self, action: Array) -> None:
        """Runs one control step with actions ``(n, 4)``, clipped to [-1, 1].

        Raises:
            WorldError: the actions have another shape, or are not finite.
        """
        ...

    def close(self) -> None:
        """Releases the engine."""
        ...
