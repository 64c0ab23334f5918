"""The robot's URDF: libfranka computes kinematics and dynamics from it, and takes limits from it.

libfranka looks for links named ``link0`` to ``link8`` (the flange) and joints whose names contain
``joint1`` to ``joint7``; with other link names its ``load_model`` crashes. Hand and load are not
in the URDF: clients add both from the state (``m_ee``, ``m_load`` and their tensors).
"""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.control_box.model.chain import JOINTS, Chain, Link


def robot_urdf(chain: Chain, spec: ArmSpec) -> str:
    """Returns the URDF of an arm.

    Args:
        chain: Frames and inertias.
        spec: Limits. Without a position-based velocity limit (Panda) the URDF has no such
            elements; libfranka 0.18 and later refuse that, and the Panda's clients ask for no URDF.
    """
    robot = ElementTree.Element("robot", name=spec.name)
    _add_link(robot, "link0", chain.base)
    for i, link in enumerate(chain.links, 1):
        _add_link(robot, f"link{i}", link)
        joint = _add_joint(robot, f"joint{i}", "revolute", i)
        _add_origin(joint, link.position, _roll_pitch_yaw(link.rotation))
        ElementTree.SubElement(joint, "axis", xyz="0 0 1")
        _add_limits(joint, spec, i - 1)
    ElementTree.SubElement(robot, "link", name=f"link{JOINTS + 1}")
    joint = _add_joint(robot, f"joint{JOINTS + 1}", "fixed", JOINTS + 1)
    _add_origin(joint, chain.flange, np.zeros(3))
    ElementTree.indent(robot)
    return ElementTree.tostring(robot, encoding="unicode", xml_declaration=True)


def _add_link(robot: ElementTree.Element, name: str, link: Link) -> None:
    inertial = ElementTree.SubElement(ElementTree.SubElement(robot, "link", name=name), "inertial")
    _add_origin(inertial, link.centre, np.zeros(3))
    ElementTree.SubElement(inertial, "mass", value=_text(link.mass))
    x, y, z = link.inertia.tolist()
    tensor = {"ixx": x[0], "ixy": x[1], "ixz": x[2], "iyy": y[1], "iyz": y[2], "izz": z[2]}
    ElementTree.SubElement(
        inertial, "inertia", {axes: _text(value) for axes, value in tensor.items()}
    )


def _add_joint(robot: ElementTree.Element, name: str, kind: str, child: int) -> ElementTree.Element:
    joint = ElementTree.SubElement(robot, "joint", name=name, type=kind)
    ElementTree.SubElement(joint, "parent", link=f"link{child - 1}")
    ElementTree.SubElement(joint, "child", link=f"link{child}")
    return joint


def _add_limits(joint: ElementTree.Element, spec: ArmSpec, index: int) -> None:
    ElementTree.SubElement(
        joint,
        "limit",
        lower=_text(spec.position_low[index]),
        upper=_text(spec.position_high[index]),
        velocity=_text(spec.velocity_limit[index]),
        effort=_text(spec.torque_limit[index]),
    )
    near_end = spec.position_based_velocity_limit
    if near_end is not None:
        ElementTree.SubElement(
            joint,
            "position_based_velocity_limits",
            velocity_offset=_text(near_end.offset[index]),
            deceleration_limit=_text(near_end.deceleration[index]),
        )


def _add_origin(parent: ElementTree.Element, position: Array, angles: Array) -> None:
    ElementTree.SubElement(
        parent,
        "origin",
        xyz=" ".join(map(_text, position)),
        rpy=" ".join(map(_text, angles)),
    )


def _roll_pitch_yaw(rotation: Array) -> Array:
    """Returns the fixed-axis angles of ``Rz(yaw) Ry(pitch) Rx(roll)`` [rad], as URDF has them."""
    pitch = np.arctan2(-rotation[2, 0], np.hypot(rotation[0, 0], rotation[1, 0]))
    roll = np.arctan2(rotation[2, 1], rotation[2, 2])
    yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
    return np.array([roll, pitch, yaw])


def _text(number: float) -> str:
    """Returns the shortest text that reads back as the same number."""
    return repr(float(number))
