"""Displacements, rotations and poses of the end effector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import ActionPart
from skill_robots.motion.action import ActionDecoder, EndEffectors, shortened
from skill_robots.motion.drives.drive import JointGoal, Situation
from skill_robots.motion.drives.physical import parts_of
from skill_robots.rotations import (
    euler_of,
    matrix_of,
    matrix_of_euler,
    quaternion_of,
    vector_of,
)

DISPLACEMENT, POSITION = "end_effector_displacement", "end_effector_position"
ROTATION = "end_effector_rotation"

QUATERNION, EULER = "end_effector_quaternion", "end_effector_euler"

LEAST_NORM = 1e-3
"""A shorter quaternion names no orientation, and turns nothing."""

ORIENTATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    QUATERNION: (matrix_of, quaternion_of),
    EULER: (matrix_of_euler, euler_of),
}
"""To a matrix, and back, by the name of the action part."""

PARTS = (DISPLACEMENT, POSITION, ROTATION, *ORIENTATIONS)

MAX_TURN = 0.25
"""Largest turn towards an orientation in one control step [rad]: the inverse kinematics takes one
linear step."""


class EndEffectorDrive:
    """Joint goals from an action on the end effector, one step of inverse kinematics each.

    Without a part for the orientation the end effector points straight down.

    Args:
        action: all parts of the policy's action.
        decoder: bounds of the goals.
    """

    def __init__(self, action: Sequence[ActionPart], decoder: ActionDecoder) -> None:
        self._parts = parts_of(action)
        self._decoder = decoder
        self._orientation = next((name for name in ORIENTATIONS if name in self._parts), None)
        moves = next(part for part in action if part.name in (DISPLACEMENT, POSITION))
        # The same arithmetic as in training, to the last bit.
        self._as_trained = (
            moves.name == DISPLACEMENT
            and not isinstance(moves.scale, tuple)
            and moves.offset == 0.0
            and not {ROTATION, *ORIENTATIONS} & set(self._parts)
        )
        self._slice = self._parts[moves.name].slice

    def goal(self, action: Array, now: Situation) -> JointGoal:
        """Returns the goal of an action ``(A,)``."""
        ends, setpoint = now.ends, now.setpoint
        if self._as_trained:
            moved = self._decoder.displace(action[None, self._slice], setpoint, ends)
            return JointGoal(position=moved)
        if POSITION in self._parts:
            point = self._parts[POSITION].value(action)[None]
        else:
            point = self._decoder.origin(ends) + self._parts[DISPLACEMENT].value(action)
        turn = self._turn(action, ends)
        moved = self._decoder.reach(point, setpoint, ends, turn)
        if turn is not None:  # turns add up in the set-point while something blocks the hand
            near = self._decoder.near(moved, now.joint_position, ends)
            moved = self._decoder.within_box(near)
        return JointGoal(position=moved)

    def write_resting(self, action: Array, now: Situation) -> None:
        """Writes the pose of the set-point, or displacements of zero."""
        rotation = now.ends.setpoint_rotation
        values = {
            DISPLACEMENT: np.zeros(3),
            ROTATION: np.zeros(3),
            POSITION: now.ends.setpoint[0],
        } | {name: inverse(rotation)[0] for name, (_, inverse) in ORIENTATIONS.items()}
        for name, value in values.items():
            if name in self._parts:
                part = self._parts[name]
                action[part.slice] = part.action(value)

    def _turn(self, action: Array, ends: EndEffectors) -> Array | None:
        """Returns the rotation vector ``(1, 3)`` of this control step; None to point down."""
        if ROTATION in self._parts:
            return shortened(self._parts[ROTATION].value(action)[None], MAX_TURN)
        if self._orientation is None:
            return None
        to_matrix, _ = ORIENTATIONS[self._orientation]
        value = self._parts[self._orientation].value(action)[None]
        if self._orientation == QUATERNION and np.linalg.norm(value) < LEAST_NORM:
            return np.zeros((1, 3))
        wanted = to_matrix(value)
        return shortened(vector_of(wanted @ ends.setpoint_rotation.transpose(0, 2, 1)), MAX_TURN)
