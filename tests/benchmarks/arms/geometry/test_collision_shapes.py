"""Distances and extents of shapes by hand, and meshes that the tests write."""

from __future__ import annotations

import struct
from pathlib import Path

import mujoco
import numpy as np
import pytest
from benchmarks.arms.geometry.collision_shapes import fit, shape_distance, shape_extent
from benchmarks.arms.geometry.published_meshes import collada_points, link_points, stl_points

from skill_proto.arrays import Array
from skill_runtime.console.flags import UsageError

SHAPES = """
<mujoco><worldbody><body name="panda_link0">
  <geom type="capsule" fromto="0 0 0 0 0 1" size="0.5"/>
  <geom type="cylinder" fromto="0 0 0 0 0 1" size="0.5"/>
  <geom type="box" size="1 2 3"/>
  <geom type="ellipsoid" size="1 2 3"/>
</body></worldbody></mujoco>
"""


@pytest.fixture
def shapes() -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(SHAPES)


@pytest.mark.parametrize(
    ("geom", "point", "distance"),
    [
        (0, (0.0, 0.0, 2.0), 0.5),
        (0, (1.0, 0.0, 0.3), 0.5),
        (0, (0.0, 0.0, 0.5), -0.5),
        (1, (0.0, 0.0, 2.0), 1.0),
        (1, (0.8, 0.0, 1.4), 0.5),
        (1, (0.4, 0.0, 0.5), -0.1),
        (2, (4.0, 6.0, 0.0), 5.0),
        (2, (0.9, 0.0, 0.0), -0.1),
        (3, (2.0, 0.0, 0.0), 1.0),
        (3, (0.0, 2.0, 0.0), 0.0),
    ],
)
def test_distance_to_a_shape(
    shapes: mujoco.MjModel, geom: int, point: tuple[float, ...], distance: float
) -> None:
    assert shape_distance(shapes, geom, np.array([point])) == pytest.approx([distance])


def test_extent_of_a_shape(shapes: mujoco.MjModel) -> None:
    axes = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
    expected = ([0.5, 1.5, 0.5], [0.5, 1.0, 0.0], [1.0, 3.0, 3.0], [1.0, 3.0, 3.0])
    for geom, extents in enumerate(expected):
        assert shape_extent(shapes, geom, axes) == pytest.approx(extents)


def test_a_link_that_reaches_out_is_found(shapes: mujoco.MjModel) -> None:
    inside = np.array([[0.9, 0.0, 0.0], [0.0, -1.9, 0.0]])
    assert fit(shapes, 0, inside, inside).reach_out_mm == 0.0
    outside = np.vstack([inside, [[1.002, 0.0, 0.0]]])
    assert fit(shapes, 0, outside, inside).reach_out_mm == pytest.approx(2.0)


def stl(corners: Array) -> bytes:
    triangle = np.concatenate([np.zeros(3), corners.ravel()]).astype("<f4").tobytes()
    return bytes(80) + struct.pack("<I", 1) + triangle + bytes(2)


COLLADA = """<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema"><library_geometries>
<geometry id="g"><mesh><source id="s"><float_array>0 0 0 1 0 0</float_array></source>
<vertices id="v"><input semantic="POSITION" source="#s"/></vertices></mesh></geometry>
</library_geometries><library_visual_scenes><visual_scene>
<node><matrix>0 -1 0 5 1 0 0 0 0 0 1 0 0 0 0 1</matrix><instance_geometry url="#g"/></node>
</visual_scene></library_visual_scenes></COLLADA>"""


def test_meshes_are_read_in_the_frame_of_the_link(tmp_path: Path) -> None:
    folder = tmp_path / "meshes" / "robot_arms" / "fer"
    for name, content in (("visual/link0.dae", COLLADA.encode()), ("collision/link0.stl", b"")):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content or stl(np.eye(3)))
    visual, collision = link_points(tmp_path, "fer", 0)
    assert visual.tolist() == [[5.0, 0.0, 0.0], [5.0, 1.0, 0.0]]
    assert sorted(collision.tolist()) == sorted(np.eye(3).tolist())
    assert collada_points(folder / "visual" / "link0.dae").shape == (2, 3)
    assert stl_points(folder / "collision" / "link0.stl").shape == (3, 3)
    with pytest.raises(UsageError, match="cannot read the meshes of fer link 1"):
        link_points(tmp_path, "fer", 1)
