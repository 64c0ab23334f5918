"""MuJoCo bodies of Gymnasium: one row each, with the numbers of Gymnasium's v5 environments.

The MJCF files are read from the installed package. Rewards leave the cost of contact forces out:
its weight is 5e-4 in Ant and 5e-7 in Humanoid, and it needs forces that nothing else here needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from skill_proto.arrays import Array, Flags

Noise = Literal["uniform", "normal"]


@dataclass(frozen=True, kw_only=True)
class Health:
    """When a body counts as standing; an environment of Gymnasium ends otherwise."""

    height_m: tuple[float, float]
    """Range of the root's height, exclusive [m]."""
    pitch_rad: tuple[float, float] | None = None
    """Range of the root's pitch, exclusive [rad]; None for a body with a free joint."""
    bound: float | None = None
    """Exclusive bound on the magnitudes of ``qvel`` and of the entries of ``qpos`` behind the
    height, in their units; None for none."""

    def standing(self, qpos: Array, qvel: Array, *, height: int) -> Flags:
        """Returns which scenes stand, ``(n,)``.

        Args:
            qpos: ``(n, nq)``.
            qvel: ``(n, nv)``.
            height: Place of the root's height in ``qpos``.
        """
        low, high = self.height_m
        standing = (low < qpos[:, height]) & (qpos[:, height] < high)
        if self.pitch_rad is not None:
            low, high = self.pitch_rad
            standing &= (low < qpos[:, height + 1]) & (qpos[:, height + 1] < high)
        if self.bound is not None:
            rest = np.concatenate((qpos[:, height + 1 :], qvel), axis=1)
            standing &= (np.abs(rest) < self.bound).all(axis=1)
        return standing


@dataclass(frozen=True, kw_only=True)
class Motion:
    """The quantities that rewards are made of, for n scenes."""

    forward: Array
    """``(n,)`` velocity along x, mean over the control step [m/s]."""
    ctrl: Array
    """``(n, nu)`` commands of the actuators."""
    standing: Flags
    """``(n,)``."""
    height: Array
    """``(n,)`` of the root [m]."""
    earlier: Array
    """``(n,)`` velocity of the root along x at the start of the control step [m/s]."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """One body and its task in Gymnasium."""

    name: str
    title: str
    mjcf: str
    """File in ``gymnasium/envs/mujoco/assets``."""
    frame_skip: int
    """Physics steps of a control step."""
    plane: tuple[int, ...]
    """Places of the coordinates in ``qpos``: x, or x and y [m]."""
    height: int
    """Place of the root's height in ``qpos``."""
    noise: float
    """Amplitude of the noise of a start, on ``qpos`` and ``qvel``."""
    position_noise: Noise = "uniform"
    """Distribution of the noise on ``qpos``."""
    velocity_noise: Noise
    """Distribution of the noise on ``qvel``."""
    reward: Callable[[Motion], Array]
    forward_of: Literal["qpos", "torso", "mass_centre"] = "qpos"
    """The x whose velocity is rewarded: the first entry of ``qpos``, the first body's, or that of
    the centre of mass. As in Gymnasium, the latter two are one physics step old."""
    health: Health | None = None
    """None for a body that cannot fall."""
    goal_range_m: float
    """Goals lie within this distance of the origin, along each coordinate [m]."""
    goal_radius_m: float = 3.0
    """Distance at which a goal counts as reached [m]; 3 in the code of METRA and CSF."""
    keyframe: bool = False
    """Whether episodes start from the first keyframe of the file."""
    joint_step: float | None = None
    """Largest change of a joint's target by one action, from its measured position [rad or m]; None
    for actuators that take the action itself."""


def squared(ctrl: Array) -> Array:
    """Returns |ctrl|^2 of each scene, ``(n,)``."""
    return np.square(ctrl).sum(axis=1)


def ant_reward(motion: Motion) -> Array:
    """Returns forward velocity + 1 while standing - .5 |ctrl|^2."""
    return motion.forward + motion.standing - 0.5 * squared(motion.ctrl)


def half_cheetah_reward(motion: Motion) -> Array:
    """Returns forward velocity - .1 |ctrl|^2."""
    return motion.forward - 0.1 * squared(motion.ctrl)


def hopper_reward(motion: Motion) -> Array:
    """Returns forward velocity + 1 while standing - .001 |ctrl|^2; also that of Walker2d."""
    return motion.forward + motion.standing - 1e-3 * squared(motion.ctrl)


def humanoid_reward(motion: Motion) -> Array:
    """Returns 1.25 forward velocity + 5 while standing - .1 |ctrl|^2."""
    return 1.25 * motion.forward + 5.0 * motion.standing - 0.1 * squared(motion.ctrl)


ANT = Body(
    name="ant",
    title="Ant",
    mjcf="ant.xml",
    frame_skip=5,
    plane=(0, 1),
    height=2,
    noise=0.1,
    velocity_noise="normal",
    reward=ant_reward,
    forward_of="torso",
    health=Health(height_m=(0.2, 1.0)),
    goal_range_m=50.0,
)

HALF_CHEETAH = Body(
    name="half_cheetah",
    title="HalfCheetah",
    mjcf="half_cheetah.xml",
    frame_skip=5,
    plane=(0,),
    height=1,
    noise=0.1,
    velocity_noise="normal",
    reward=half_cheetah_reward,
    goal_range_m=100.0,
)

HOPPER = Body(
    name="hopper",
    title="Hopper",
    mjcf="hopper.xml",
    frame_skip=4,
    plane=(0,),
    height=1,
    noise=5e-3,
    velocity_noise="uniform",
    reward=hopper_reward,
    health=Health(height_m=(0.7, np.inf), pitch_rad=(-0.2, 0.2), bound=100.0),
    goal_range_m=20.0,
)

WALKER = Body(
    name="walker",
    title="Walker2d",
    mjcf="walker2d_v5.xml",
    frame_skip=4,
    plane=(0,),
    height=1,
    noise=5e-3,
    velocity_noise="uniform",
    reward=hopper_reward,
    health=Health(height_m=(0.8, 2.0), pitch_rad=(-1.0, 1.0)),
    goal_range_m=20.0,
)

HUMANOID = Body(
    name="humanoid",
    title="Humanoid",
    mjcf="humanoid.xml",
    frame_skip=5,
    plane=(0, 1),
    height=2,
    noise=1e-2,
    velocity_noise="uniform",
    reward=humanoid_reward,
    forward_of="mass_centre",
    health=Health(height_m=(1.0, 2.0)),
    goal_range_m=20.0,
)

BODIES: dict[str, Body] = {
    body.name: body for body in (ANT, HALF_CHEETAH, HOPPER, WALKER, HUMANOID)
}
"""Every body by its name."""
