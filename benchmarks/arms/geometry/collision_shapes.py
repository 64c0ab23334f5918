"""How far do a Franka's links reach out of the shapes of our collision model?

    python -m benchmarks.arms.geometry.collision_shapes --description DIR

``DIR`` is a checkout of frankarobotics/franka_description, whose meshes are not part of this
repository. A link that reaches out of its shapes can be nearer to the table than the governor
measures; shapes that are larger than the link make the governor refuse poses that are safe.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mujoco
import numpy as np

from benchmarks.arms.geometry.published_meshes import LINKS, link_points
from benchmarks.lib.program import run_program
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.franka.model import FrankaRobot, franka_spec

DIRECTIONS = 500
"""Directions in which the extents of a link and of its shapes are compared."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Links of a Franka, compared with the shapes of the collision model."""

    description: Path
    """Checkout of frankarobotics/franka_description."""
    robot: Literal["fer", "fr3"] = "fr3"
    """Arm of this repository."""
    meshes: str | None = None
    """Folder of the meshes; that of the arm if it is not given. `fr3v2` is a later FR3."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Comparison of one link with its shapes [mm]."""

    reach_out_mm: float
    """Largest distance of a vertex of the visual mesh from the shapes."""
    reach_out_p99_mm: float
    """99 % of the vertices are no farther."""
    excess_mm: float
    """Largest distance, over all directions, by which the shapes extend beyond the link."""


def shape_distance(model: mujoco.MjModel, geom: int, points: Array) -> Array:
    """Returns the distances of points ``(n, 3)`` in the frame of the body to a shape [m].

    Negative inside. The distance to an ellipsoid is the bound ``(|p / r| - 1) min(r)``, which is
    at most the true distance.
    """
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    local = (points - model.geom_pos[geom]) @ rotation.reshape(3, 3)
    size, kind = model.geom_size[geom], model.geom_type[geom]
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        local[:, 2] -= np.clip(local[:, 2], -size[1], size[1])
        return np.linalg.norm(local, axis=1) - size[0]
    if kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        return (np.linalg.norm(local / size, axis=1) - 1.0) * size.min()
    if kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        beside = np.linalg.norm(local[:, :2], axis=1) - size[0]
        above = np.abs(local[:, 2]) - size[1]
        return _outside(np.stack([beside, above], axis=1))
    return _outside(np.abs(local) - size)  # a box


def _outside(excess: Array) -> Array:
    """Returns the distance to a product of intervals, from the excess over each of them."""
    return np.linalg.norm(np.maximum(excess, 0.0), axis=1) + np.minimum(excess.max(axis=1), 0.0)


def shape_extent(model: mujoco.MjModel, geom: int, directions: Array) -> Array:
    """Returns the largest coordinate of a shape along each direction ``(n, 3)`` [m]."""
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    local = directions @ rotation.reshape(3, 3)
    size, kind = model.geom_size[geom], model.geom_type[geom]
    if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
        extent = size[1] * np.abs(local[:, 2]) + size[0]
    elif kind == mujoco.mjtGeom.mjGEOM_ELLIPSOID:
        extent = np.linalg.norm(local * size, axis=1)
    elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        extent = size[0] * np.linalg.norm(local[:, :2], axis=1) + size[1] * np.abs(local[:, 2])
    else:
        extent = np.abs(local) @ size
    return directions @ model.geom_pos[geom] + extent


def fit(model: mujoco.MjModel, link: int, visual: Array, collision: Array) -> Fit:
    """Compares one link with its shapes."""
    body = model.body(f"panda_link{link}")
    shapes = range(int(body.geomadr[0]), int(body.geomadr[0] + body.geomnum[0]))
    distance = np.min([shape_distance(model, geom, visual) for geom in shapes], axis=0)
    directions = np.random.default_rng(0).normal(size=(DIRECTIONS, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    ours = np.max([shape_extent(model, geom, directions) for geom in shapes], axis=0)
    theirs = (np.concatenate([visual, collision]) @ directions.T).max(axis=0)
    return Fit(
        reach_out_mm=1e3 * max(0.0, float(distance.max())),
        reach_out_p99_mm=1e3 * max(0.0, float(np.percentile(distance, 99))),
        excess_mm=1e3 * float((ours - theirs).max()),
    )


def measure(description: Path, robot: FrankaRobot, meshes: str) -> list[Fit]:
    """Compares all links."""
    model = franka_spec(robot).compile()
    return [fit(model, link, *link_points(description, meshes, link)) for link in range(LINKS)]


def main(config: Config) -> None:
    """Measures, prints the table and writes the result."""
    meshes = config.meshes or config.robot
    found = measure(config.description, config.robot, meshes)
    print(f"shapes of {config.robot}, meshes of {meshes}; mm\n")
    rows = [
        [
            str(link),
            *(f"{mm:.1f}" for mm in (each.reach_out_mm, each.reach_out_p99_mm, each.excess_mm)),
        ]
        for link, each in enumerate(found)
    ]
    print_table(["link", "reaches out", "99 % of vertices", "shapes extend beyond"], rows)
    write_json(
        config.json,
        {"robot": config.robot, "meshes": meshes, "links": [vars(each) for each in found]},
    )


if __name__ == "__main__":
    run_program(
        main,
        Config,
        prog="python -m benchmarks.arms.geometry.collision_shapes",
        description=__doc__,
    )
