"""Points on the surface of a robot's links, from a checkout of franka_description.

The meshes are the manufacturer's and are not part of this repository.
"""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from skill_proto.arrays import Array
from skill_runtime.console.flags import UsageError

LINKS = 8
"""Links 0 to 7."""

_COLLADA = "{http://www.collada.org/2005/11/COLLADASchema}"
_TRIANGLE = np.dtype([("normal", "<3f4"), ("corners", "<(3,3)f4"), ("unused", "<u2")])


def link_points(description: Path, robot: str, link: int) -> tuple[Array, Array]:
    """Returns vertices of a link's visual mesh, and of its collision mesh, ``(n, 3)`` [m].

    Both are in the frame of the link.

    Raises:
        UsageError: the checkout does not have the meshes.
    """
    folder = description / "meshes" / "robot_arms" / robot
    try:
        visual = collada_points(folder / "visual" / f"link{link}.dae")
        collision = stl_points(folder / "collision" / f"link{link}.stl")
    except (OSError, ValueError, AttributeError, ElementTree.ParseError) as error:
        raise UsageError(f"cannot read the meshes of {robot} link {link}: {error}") from None
    return visual, collision


def stl_points(path: Path) -> Array:
    """Returns the corners of the triangles of a binary STL file, ``(n, 3)``."""
    data = path.read_bytes()
    (count,) = struct.unpack_from("<I", data, 80)
    triangles = np.frombuffer(data, _TRIANGLE, count, 84)
    return np.unique(triangles["corners"].reshape(-1, 3).astype(np.float64), axis=0)


def collada_points(path: Path) -> Array:
    """Returns the vertices of all meshes of a COLLADA scene, ``(n, 3)``.

    Nodes are placed by matrices only, as Blender writes them.
    """
    root = ElementTree.parse(path).getroot()
    meshes = {
        f"#{geometry.get('id')}": _vertices(_child(geometry, "mesh"))
        for geometry in root.iter(f"{_COLLADA}geometry")
    }
    scene = next(root.iter(f"{_COLLADA}visual_scene"))
    found: list[Array] = []
    for node in scene.findall(f"{_COLLADA}node"):
        _collect(node, np.eye(4), meshes, found)
    return np.unique(np.concatenate(found), axis=0)


def _collect(
    node: ElementTree.Element, parent: Array, meshes: dict[str, Array], found: list[Array]
) -> None:
    """Adds the vertices of a node and of its children, transformed to the scene."""
    pose = parent
    for matrix in node.findall(f"{_COLLADA}matrix"):
        pose = pose @ np.array((matrix.text or "").split(), np.float64).reshape(4, 4)
    for instance in node.findall(f"{_COLLADA}instance_geometry"):
        points = meshes[str(instance.get("url"))]
        found.append(points @ pose[:3, :3].T + pose[:3, 3])
    for child in node.findall(f"{_COLLADA}node"):
        _collect(child, pose, meshes, found)


def _vertices(mesh: ElementTree.Element) -> Array:
    entry = _child(_child(mesh, "vertices"), "input")
    for source in mesh.findall(f"{_COLLADA}source"):
        if f"#{source.get('id')}" == entry.get("source"):
            numbers = (_child(source, "float_array").text or "").split()
            return np.array(numbers, np.float64).reshape(-1, 3)
    raise ValueError("a mesh without the positions of its vertices")


def _child(element: ElementTree.Element, tag: str) -> ElementTree.Element:
    child = element.find(f"{_COLLADA}{tag}")
    if child is None:
        raise ValueError(f"an element <{element.tag}> without <{tag}>")
    return child
