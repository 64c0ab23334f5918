"""Frames and inertias of the arm's links, from its MuJoCo model."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from skill_proto.arrays import Array

JOINTS = 7
"""Joints of a Franka arm."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A rigid link; all values are in the frame of the joint that moves it."""

    mass: float
    """[kg]."""
    centre: Array
    """``(3,)`` centre of mass [m]."""
    inertia: Array
    """``(3, 3)`` about the centre of mass [kg m^2]."""
    position: Array
    """``(3,)`` origin of the frame in the frame of the previous link, all joints at zero [m]."""
    rotation: Array
    """``(3, 3)`` axes of the frame in the frame of the previous link, all joints at zero."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The arm without its hand. Every joint turns about the z axis of its link's frame."""

    base: Link
    links: tuple[Link, ...]
    """Links 1 to 7."""
    flange: Array
    """``(3,)`` flange in the frame of link 7 [m]; its axes are those of link 7."""


def arm_chain(model: mujoco.MjModel) -> Chain:
    """Returns the chain of a model from ``skill_robots.franka.model.franka_spec``.

    MuJoCo keeps inertias along their principal axes, so the tensors here are equal to those of the
    source up to rounding, about 1e-16 kg m^2.
    """
    return Chain(
        base=_link(model, "panda_link0"),
        links=tuple(_link(model, f"panda_link{i}") for i in range(1, JOINTS + 1)),
        flange=np.array(model.body("panda_hand").pos),
    )


def _link(model: mujoco.MjModel, name: str) -> Link:
    body = model.body(name)
    principal = _rotation(body.iquat)
    return Link(
        mass=float(body.mass[0]),
        centre=np.array(body.ipos),
        inertia=principal @ np.diag(body.inertia) @ principal.T,
        position=np.array(body.pos),
        rotation=_rotation(body.quat),
    )


def _rotation(quaternion: Array) -> Array:
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, quaternion)
    return matrix.reshape(3, 3)
