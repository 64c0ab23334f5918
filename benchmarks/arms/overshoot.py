"""How far beyond its set-point's velocity limit a compliant arm moves: the default of --speed.

    python -m benchmarks.arms.overshoot

Targets jump to and fro at random, for all joints at once, from random postures, through the shaper
of skill-serve with a share of the velocity limits. The arm follows by the plant's joint impedance
at 1 kHz, in free space. The table has the largest measured velocity of each joint as a share of the
arm's own limit, beyond which a Franka robot stops itself (``joint_velocity_violation``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from benchmarks.arms.torque_law import CYCLE_S
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Rates, Seed
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.franka.model import FrankaRobot, franka_spec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.reduced_speed import with_speed
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper

ROBOTS: dict[FrankaRobot, ArmSpec] = {"fer": PANDA, "fr3": FR3}

SERVO_PERIOD_S = 0.005
"""Time between two set-points [s]."""

MARGIN_RAD = 0.3
"""Postures keep this distance from the ends of the ranges [rad]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Shares of the limits, and the number of motions."""

    shares: Rates = (1.0, 0.9, 0.85, 0.8)
    """Shares of the velocity limits, as given to --speed."""
    motions: PositiveInt = 30
    """Motions of 3 s, each from another posture, for every robot and share."""
    seed: Seed = 0
    """Seed of postures and targets."""
    json: Path | None = None
    """Write the result to this file."""


def free_arm(robot: FrankaRobot) -> mujoco.MjModel:
    """Returns the arm with torque motors, in free space."""
    spec = franka_spec(robot)
    spec.option.timestep = CYCLE_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    for actuator in spec.actuators:
        actuator.set_to_motor()
    return spec.compile()


def fastest(robot: FrankaRobot, share: float, config: Config) -> Array:
    """Returns the largest velocity of each joint ``(7,)`` as a share of its limit."""
    spec, rng = ROBOTS[robot], np.random.default_rng(config.seed)
    model = free_arm(robot)
    data = mujoco.MjData(model)
    shaper = SetpointShaper(with_speed(spec, share), SERVO_PERIOD_S)
    low, high = spec.position_low + MARGIN_RAD, spec.position_high - MARGIN_RAD
    found = np.zeros(7)
    for _ in range(config.motions):
        mujoco.mj_resetData(model, data)
        data.qpos[:7] = rng.uniform(low, high)
        mujoco.mj_forward(model, data)
        setpoint = Setpoint(data.qpos[None, :7].copy())
        goal, changes_every = setpoint.position.copy(), int(rng.integers(20, 160))
        for step in range(round(3.0 / SERVO_PERIOD_S)):
            if step % changes_every == 0:
                jump = rng.choice([-1.0, 1.0], 7) * rng.uniform(0.2, 1.2, 7)
                goal = np.clip(setpoint.position + jump, low, high)
            shaper.step(setpoint, goal)
            found = np.maximum(found, _follow(model, data, spec, setpoint))
    return found / spec.velocity_limit


def _follow(model: mujoco.MjModel, data: mujoco.MjData, spec: ArmSpec, target: Setpoint) -> Array:
    """Runs one servo period; returns the largest velocities ``(7,)`` in it [rad/s]."""
    position, velocity = target.position[0], target.velocity[0]
    found = np.zeros(7)
    for cycle in range(round(SERVO_PERIOD_S / CYCLE_S)):
        lag = position + cycle * CYCLE_S * velocity - data.qpos[:7]
        data.ctrl[:7] = spec.stiffness * lag + spec.damping * (velocity - data.qvel[:7])
        mujoco.mj_step(model, data)
        found = np.maximum(found, np.abs(data.qvel[:7]))
    return found


def main(config: Config) -> None:
    """Measures, prints the table, and writes the JSON file."""
    found = {
        (robot, share): fastest(robot, share, config).tolist()
        for robot in ROBOTS
        for share in config.shares
    }
    print_table(
        ["robot", "--speed", *(f"joint {i}" for i in range(1, 8)), "worst"],
        [
            [robot, f"{share:g}", *(f"{value:.2f}" for value in (*joints, max(joints)))]
            for (robot, share), joints in found.items()
        ],
    )
    rows = [
        {"robot": robot, "share": share, "fastest": joints}
        for (robot, share), joints in found.items()
    ]
    write_json(config.json, {"motions": config.motions, "seed": config.seed, "rows": rows})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.arms.overshoot", description=__doc__)
