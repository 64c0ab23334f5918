"""Distances of a Franka arm to the table and to itself, from shapes around its links.

The shapes contain the links of both arms (``shapes``). Two links that are fewer than three apart in
the kinematic chain are not compared: their shapes overlap by design, and the joints' limits keep
the links apart.
"""

from __future__ import annotations

import mujoco

from skill_proto.arrays import Array
from skill_robots.collision import Clearance
from skill_robots.franka.model import FINGER_OPEN_M, panda_spec
from skill_robots.franka.shapes import replace_hand_shapes, replace_link_shapes

HORIZON_M = 0.05
"""Distances between links are measured up to here [m]; a larger one is reported as this."""

TABLE_HORIZON_M = 0.02
"""Distances to the table are measured up to here [m]. This horizon is shorter: a pushing gripper is
always near the table, and every corner of every shape within the horizon costs time."""

_LINKS = (
    *(f"panda_link{i}" for i in range(8)),
    "panda_hand",
    "panda_leftfinger",
    "panda_rightfinger",
)
_FIRST_OVER_TABLE = 2
"""The base and the first link stand on the table."""
_APART = 3
_LAST = 7
"""Links from this one on do not move relative to each other."""


class FrankaCollisionModel:
    """The arm on its table, with the gripper fully open; implements ``CollisionModel``.

    One instance serves one thread: it owns a ``mujoco.MjData``.

    Args:
        table_height_m: the table's surface in the base frame [m].
    """

    def __init__(self, table_height_m: float = 0.0) -> None:
        spec = panda_spec()
        replace_link_shapes(spec)
        replace_hand_shapes(spec)
        table = spec.worldbody.add_geom(
            name="table", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[2.0, 2.0, 0.1]
        )
        table.pos = [0.0, 0.0, table_height_m]
        table.contype, table.conaffinity = 0, 0
        shapes = {body.name: [shape.name for shape in body.geoms] for body in spec.bodies}
        pairs = [
            ("table", shape) for link in _LINKS[_FIRST_OVER_TABLE:] for shape in shapes[link]
        ] + [
            (one, other)
            for i, first in enumerate(_LINKS[:_LAST])
            for second in _LINKS[i + _APART :]
            for one in shapes[first]
            for other in shapes[second]
        ]
        for one, other in pairs:
            margin = TABLE_HORIZON_M if one == "table" else HORIZON_M
            spec.add_pair(geomname1=one, geomname2=other, margin=margin)
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._data.qpos[7:9] = FINGER_OPEN_M
        self._table = self._model.geom("table").id
        self._site = self._model.site("end_effector").id

    def measure(self, joint_position: Array) -> Clearance:
        """Measures one configuration, joint positions ``(7,)`` [rad].

        Distances to the table start at link 2. They are at most ``TABLE_HORIZON_M``, and those
        between links at most ``HORIZON_M``.
        """
        model, data = self._model, self._data
        data.qpos[:7] = joint_position
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        table, self_collision = TABLE_HORIZON_M, HORIZON_M
        if data.ncon:
            contact = data.contact
            distances: list[float] = contact.dist.tolist()
            for distance, (first, _) in zip(distances, contact.geom.tolist(), strict=True):
                if first == self._table:  # MuJoCo puts the plane first in a pair
                    table = min(table, distance)
                else:
                    self_collision = min(self_collision, distance)
        x, y, z = data.site_xpos[self._site].tolist()
        return Clearance(table, self_collision, (x, y, z))
