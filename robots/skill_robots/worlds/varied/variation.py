"""Gives each scene of a batch masses, dampings and working joints of its own.

The release writes ``body_mass`` and ``dof_damping`` and nothing else, and so does this file: the
rotational inertia stays, as do the constants that MuJoCo derives from masses when it compiles a
model (``dof_invweight0``, which softens contacts and joint limits).
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from skill_proto.arrays import Array, Flags, Ids
from skill_robots.worlds.mujoco_world import MujocoWorld
from skill_robots.worlds.varied.body import Scaling, VariedBody


class Variation:
    """The models of n scenes.

    Args:
        row: The body.
        scenes: Its scenes.

    Attributes:
        working: ``(n, nu)`` 1 for an actuator that works, 0 for one that exerts no torque.
    """

    def __init__(self, row: VariedBody, scenes: MujocoWorld) -> None:
        self._row = row
        model, batch = scenes.model, scenes.batch
        self._mass_of, self._damping_of = model.body_mass.copy(), model.dof_damping.copy()
        self._mass: Array = batch.expand("body_mass")
        if row.damping is not None:
            self._damping: Array = batch.expand("dof_damping")
        self.working = np.ones((scenes.n, model.nu))
        driven = [model.joint(joint).name for joint in model.actuator_trnid[:, 0]]
        self._actuators = [[driven.index(joint) for joint in limb.joints] for limb in row.limbs]
        self._shapes = any(limb.halved for limb in row.limbs)
        if self._shapes:
            self._size_of, self._place_of = model.geom_size.copy(), model.geom_pos.copy()
            self._size: Array = batch.expand("geom_size")
            self._place: Array = batch.expand("geom_pos")
            self._halved = [_geoms(model, limb.halved) for limb in row.limbs]
            self._moved = [[_geoms(model, pair) for pair in limb.moved] for limb in row.limbs]

    def apply(self, ids: Ids, contexts: Array) -> None:
        """Sets the models of the scenes ``ids`` ``(k,)``.

        Args:
            ids: The scenes.
            contexts: ``(k, K)`` hidden quantities, in the order of the row.
        """
        ids, row, limbs = np.asarray(ids), self._row, self._row.limbs
        self._mass[ids] = _scaled(self._mass_of, contexts[:, 0], row.mass)
        if row.damping is not None:
            self._damping[ids] = _scaled(self._damping_of, contexts[:, 1], row.damping)
        if not limbs:
            return
        crippled = contexts[:, -len(limbs) :] > 0.0
        self.working[ids] = 1.0
        for limb, actuators in enumerate(self._actuators):
            self.working[ids[crippled[:, limb], None], actuators] = 0.0
        if self._shapes:
            self._size[ids], self._place[ids] = self._bent(crippled)

    def _bent(self, crippled: Flags) -> tuple[Array, Array]:
        """Returns sizes and places of the geoms ``(k, ngeom, 3)`` for flags ``(k, limbs)``."""
        size = np.repeat(self._size_of[None], len(crippled), axis=0)
        place = np.repeat(self._place_of[None], len(crippled), axis=0)
        for limb, (halved, moved) in enumerate(zip(self._halved, self._moved, strict=True)):
            scenes = np.flatnonzero(crippled[:, limb])
            size[scenes[:, None], halved, :2] /= 2.0  # radius and half the length of a capsule
            for geom, other in moved:
                place[scenes, geom] = place[scenes, other]
        return size, place


def _scaled(base: Array, scale: Array, scaling: Scaling) -> Array:
    """Returns ``base`` ``(m,)`` times the scales ``(k,)`` of its entries, ``(k, m)``."""
    factors = np.ones((len(scale), len(base)))
    factors[:, scaling.multiplied] = scale[:, None]
    factors[:, scaling.divided] = 1.0 / scale[:, None]
    return base * factors


def _geoms(model: mujoco.MjModel, names: Sequence[str]) -> list[int]:
    return [model.geom(name).id for name in names]
