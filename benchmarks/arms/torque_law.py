"""Joint impedance as torques at 1 kHz, with the filters of libfranka's control loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import mujoco
import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.model import FrankaRobot, franka_spec
from skill_robots.franka.specs import PANDA

CYCLE_S = 0.001
"""Period of a Franka's control loop [s]."""

CUTOFF_HZ = 100.0
"""Default of libfranka's ``control``: cut-off of the low-pass filter on commanded torques [Hz]
(libfranka, ``include/franka/lowpass_filter.h``)."""

MAX_TORQUE_CHANGE = 1.0
"""Largest change of a commanded torque per cycle that the robot accepts [N m]: 1000 N m/s."""


def low_pass_gain(cutoff_hz: float = CUTOFF_HZ) -> float:
    """Returns the share of a change that the filter passes in one cycle.

    A first-order filter, ``y += gain (x - y)`` with ``gain = dt / (dt + 1 / (2 pi f))``.
    """
    return CYCLE_S / (CYCLE_S + 1.0 / (2.0 * np.pi * cutoff_hz))


@dataclass(frozen=True, kw_only=True)
class TorqueLaw:
    """A joint impedance controller, ``K (q_set - q) + D (v_set - v)``, and its filters."""

    low_pass: bool = False
    """Filter torques with :func:`low_pass_gain`."""
    largest_change: float = inf
    """Limit on the change of each torque per cycle, before the filter [N m]. Franky's
    ``max_delta_tau``; the default of the wheels is :data:`MAX_TORQUE_CHANGE`."""
    extrapolate: bool = False
    """Continue a set-point at its velocity within a servo period, instead of holding it."""


@dataclass(frozen=True, kw_only=True)
class Joints:
    """The arm that follows the torques."""

    robot: FrankaRobot = "fer"
    armature: tuple[float, ...] | None = None
    """Reflected rotor inertia of each joint [kg m^2]; None: that of the trained plant."""
    friction: float = 0.0
    """Coulomb friction of each joint [N m]; the trained plant has none."""


Trajectory = tuple[Array, Array]
"""Joint positions [rad] and velocities [rad/s], ``(n, 7)`` each."""


def trained_plant(start: Array, setpoints: Trajectory, period_s: float) -> Trajectory:
    """Follows set-points on the plant of training, in free motion (docs/plant.md).

    Args:
        start: ``(7,)`` joint positions at rest [rad].
        setpoints: one per servo period.
        period_s: servo period and physics step [s].

    Returns:
        The joints after each servo period.
    """
    model = _model(Joints(), period_s, torques=False)
    data = _at_rest(model, start)
    feed_forward = PANDA.damping / PANDA.stiffness
    return _collected(_follow(model, data, setpoints, feed_forward), len(setpoints[0]))


def torque_controlled(
    start: Array, setpoints: Trajectory, period_s: float, law: TorqueLaw, joints: Joints
) -> Trajectory:
    """Follows set-points with torques that are computed once per :data:`CYCLE_S`.

    The arguments and the result are those of :func:`trained_plant`.
    """
    model = _model(joints, CYCLE_S, torques=True)
    data = _at_rest(model, start)
    cycles = round(period_s / CYCLE_S)
    return _collected(_control(model, data, setpoints, cycles, law), len(setpoints[0]))


def _follow(
    model: mujoco.MjModel, data: mujoco.MjData, setpoints: Trajectory, feed_forward: Array
) -> Iterator[mujoco.MjData]:
    for position, velocity in zip(*setpoints, strict=True):
        data.ctrl[:7] = position + feed_forward * velocity
        mujoco.mj_step(model, data)
        yield data


def _control(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    setpoints: Trajectory,
    cycles: int,
    law: TorqueLaw,
) -> Iterator[mujoco.MjData]:
    gain = low_pass_gain() if law.low_pass else 1.0
    measured, rates, sent = data.qpos[:7], data.qvel[:7], np.zeros(7)
    for position, velocity in zip(*setpoints, strict=True):
        for cycle in range(cycles):
            ahead_s = cycle * CYCLE_S if law.extrapolate else 0.0
            error = position + ahead_s * velocity - measured
            torque = PANDA.stiffness * error + PANDA.damping * (velocity - rates)
            torque = np.clip(torque, -PANDA.torque_limit, PANDA.torque_limit)
            sent += gain * np.clip(torque - sent, -law.largest_change, law.largest_change)
            data.ctrl[:7] = sent
            mujoco.mj_step(model, data)
        yield data


def _collected(states: Iterator[mujoco.MjData], n: int) -> Trajectory:
    position, velocity = np.empty((n, 7)), np.empty((n, 7))
    for i, data in enumerate(states):
        position[i], velocity[i] = data.qpos[:7], data.qvel[:7]
    return position, velocity


def _model(joints: Joints, step_s: float, *, torques: bool) -> mujoco.MjModel:
    spec = franka_spec(joints.robot)
    spec.option.timestep = step_s
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.equality("finger_gear").active = False
    for i in range(7):
        joint = spec.joint(PANDA.joint_names[i])
        joint.frictionloss = joints.friction
        if joints.armature is not None:
            joint.armature = joints.armature[i]
        if torques:
            spec.actuator(f"joint{i + 1}").set_to_motor()
    return spec.compile()


def _at_rest(model: mujoco.MjModel, start: Array) -> mujoco.MjData:
    data = mujoco.MjData(model)
    data.qpos[:7] = data.ctrl[:7] = start
    return data
