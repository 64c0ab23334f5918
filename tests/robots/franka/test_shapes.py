"""The collision shapes against the extents of the published meshes, written out here."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from skill_robots.arm import ArmSpec
from skill_robots.franka.collision import HORIZON_M, FrankaCollisionModel
from skill_robots.franka.model import franka_spec
from skill_robots.franka.shapes import LINK_SHAPES, Capsule
from skill_robots.franka.specs import FR3, PANDA

EXTENTS = {
    "panda_link0": ((-0.1541, -0.0946, 0.0), (0.0716, 0.0946, 0.140)),
    "panda_link1": ((-0.0550, -0.1300, -0.192), (0.0550, 0.0550, 0.055)),
    "panda_link2": ((-0.0550, -0.1940, -0.055), (0.0550, 0.0550, 0.130)),
    "panda_link3": ((-0.0550, -0.0550, -0.123), (0.1380, 0.1130, 0.055)),
    "panda_link4": ((-0.1380, -0.0550, -0.055), (0.0550, 0.1240, 0.113)),
    "panda_link5": ((-0.0550, -0.0550, -0.260), (0.0550, 0.1300, 0.0522)),
    "panda_link6": ((-0.0490, -0.0512, -0.046), (0.1330, 0.0819, 0.055)),
    "panda_link7": ((-0.0440, -0.0440, 0.050), (0.0813, 0.0813, 0.107)),
}
"""Smallest and largest coordinates [m] of the visual meshes of fer, fr3 and fr3v2 together:
frankarobotics/franka_description 1.0.1, ``meshes/robot_arms``."""

EXCESS_M = 0.045
"""A shape that extends farther than this beyond its link would forbid poses that are safe."""


@pytest.mark.parametrize("name", EXTENTS)
def test_shapes_enclose_the_link(name: str) -> None:
    low, high = (np.array(corner) for corner in EXTENTS[name])
    ends = [
        (np.minimum(c.start, c.end) - c.radius, np.maximum(c.start, c.end) + c.radius)
        for c in LINK_SHAPES[name]
    ]
    lowest, highest = np.min([e[0] for e in ends], axis=0), np.max([e[1] for e in ends], axis=0)
    assert (lowest <= low).all()
    assert (highest >= high).all()
    if name != "panda_link0":  # the base stands on the table
        assert (lowest >= low - EXCESS_M).all()
        assert (highest <= high + EXCESS_M).all()


def test_the_housing_of_the_second_joint_is_inside() -> None:
    """The end of its axis, which the shapes of panda.xml do not reach."""
    end = np.array([0.0, -0.1294, 0.0])
    assert min(_to(capsule, end) for capsule in LINK_SHAPES["panda_link1"]) <= 0.0


def _to(capsule: Capsule, point: np.ndarray) -> float:
    start, end = np.array(capsule.start), np.array(capsule.end)
    along = np.clip((point - start) @ (end - start) / ((end - start) @ (end - start)), 0.0, 1.0)
    return float(np.linalg.norm(point - start - along * (end - start)) - capsule.radius)


def test_the_model_of_the_fr3_has_these_shapes() -> None:
    model = franka_spec("fr3").compile()
    for name, shapes in LINK_SHAPES.items():
        body = model.body(name)
        assert body.geomnum[0] == len(shapes)
        for i, shape in enumerate(shapes):
            geom = model.geom(f"{name}_{i}")
            assert geom.type[0] == mujoco.mjtGeom.mjGEOM_CAPSULE
            assert geom.size[0] == shape.radius
            middle = (np.array(shape.start) + shape.end) / 2
            np.testing.assert_allclose(geom.pos, middle, atol=1e-12)


@pytest.mark.parametrize("spec", [PANDA, FR3], ids=lambda spec: spec.name)
def test_an_elbow_on_the_table_is_found(spec: ArmSpec) -> None:
    """Joint 2 at 90 degrees lays the upper arm horizontally, .333 m above the table.

    Joint 3 at 90 degrees turns the elbow's axis upright; its housing ends .111 m below the axis of
    the upper arm, .222 m above the table.
    """
    joints = np.array([0.0, np.pi / 2, np.pi / 2, -1.6, 0.0, 1.6, 0.0])
    assert spec.collision_model().measure(joints).table > 0.0
    assert FrankaCollisionModel(table_height_m=0.205).measure(joints).table > 0.0
    assert FrankaCollisionModel(table_height_m=0.225).measure(joints).table < -0.002


def test_parts_that_move_together_are_not_compared() -> None:
    """The fingers are near link 7 in every pose, which is no self-collision."""
    assert FrankaCollisionModel().measure(PANDA.neutral).self_collision == HORIZON_M
