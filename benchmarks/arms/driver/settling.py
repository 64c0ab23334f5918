"""How fast can the impedance law bring an arm to rest, whatever the driver's reference does?

    python -m benchmarks.arms.driver.settling

The vendors' laws are ``M q'' = K (r - q) + D (r' - q')`` with the plant's stiffness K and damping D
and the driver's reference r, without gravity and Coriolis torques. The program solves this equation
with the mass matrix M of the posture of ``deaths``, for one joint at 0.8 rad/s whose set-points
end. It compares references:

- ``driver``: the driver's own (``ReferenceFeed``).
- ``harder``: a stop with 9 rad/s^2.
- ``smooth``: a stop with 7.5 rad/s^2 whose deceleration fades in and out within 75 ms.
- ``inertia``: that one, plus ``K^-1 M r''``: the law then needs no lag to brake the arm. A driver
  needs the robot's mass matrix for that.
- ``inertia 0.8``: the same with masses that are 20 % too small.

It prints the highest deceleration over 10 ms, the times after which all joints stay slower than
0.05 and 0.01 rad/s, and the slowest decay of the law's own motions, ``max Re(s)`` of
``det(M s^2 + D s + K) = 0``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from benchmarks.arms.driver.deaths import REST, SLOW, SPEED, WINDOW_S
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Some
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.franka.model import FrankaRobot, franka_spec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.franka_driver.feed import CYCLE_S, ReferenceFeed
from skill_robots.franka_driver.records import Reference
from skill_robots.franka_driver.stopping import with_driver_stop
from skill_robots.motion.braking import BrakingPlanner

SPECS: dict[FrankaRobot, ArmSpec] = {"fer": PANDA, "fr3": FR3}
SERVO_PERIOD_S = 0.005
"""Time between two set-points [s]."""
SECONDS = 1.5
"""Time that is computed [s]."""
STEPS = 10
"""Steps of the integration in a millisecond."""
STILL = np.zeros(7)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The command line."""

    joints: Some[int] = (4, 1)
    """Which joint moves."""
    json: Path | None = None
    """Results as JSON."""


def mass_matrix(robot: FrankaRobot, position: Array) -> Array:
    """Returns the arm's mass matrix ``(7, 7)`` [kg m2], with the hand."""
    model = franka_spec(robot).compile()
    data = mujoco.MjData(model)
    data.qpos[:7] = position
    mujoco.mj_forward(model, data)
    columns = np.zeros((7, model.nv))
    for joint in range(7):
        unit = np.zeros(model.nv)
        unit[joint] = 1.0
        mujoco.mj_mulM(model, data, columns[joint], unit)
    return columns[:, :7]


def reference(planner: BrakingPlanner, velocity: Array) -> tuple[Array, Array]:
    """Returns positions and velocities ``(n, 7)`` of each millisecond after the last set-point."""
    feed = ReferenceFeed(np.full(7, 9.0), np.full(7, 99.0), planner)
    feed.hold(STILL)
    feed.offer(Reference(1, 0.0, STILL, STILL, STILL), STILL, STILL)
    feed.offer(Reference(2, 0.0, STILL, velocity, STILL), STILL, STILL)
    rows = [feed.advance(cycle * CYCLE_S) for cycle in range(round(SECONDS / CYCLE_S))]
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


def references(spec: ArmSpec, mass: Array, velocity: Array) -> Iterator[tuple[str, Array, Array]]:
    """Yields name, positions and velocities of each reference."""
    own = BrakingPlanner.of(with_driver_stop(spec), SERVO_PERIOD_S)
    position, rate = reference(own, velocity)
    yield "driver", position, rate
    harder = BrakingPlanner(np.full(7, 9.0), spec.jerk_limit, SERVO_PERIOD_S)
    yield "harder", *reference(harder, velocity)
    smooth = BrakingPlanner(np.full(7, 7.5), np.full(7, 100.0), SERVO_PERIOD_S)
    position, rate = reference(smooth, velocity)
    yield "smooth", position, rate
    torque = np.gradient(rate, CYCLE_S, axis=0) @ mass
    yield "inertia", position + torque / spec.stiffness, rate
    yield "inertia 0.8", position + 0.8 * torque / spec.stiffness, rate


def follow(spec: ArmSpec, mass: Array, position: Array, rate: Array, start: Array) -> Array:
    """Returns the velocities ``(n, 7)`` of an arm that follows a reference from a velocity."""
    step_s, inverse = CYCLE_S / STEPS, np.linalg.inv(mass)
    q, v = STILL.copy(), start.copy()
    found = np.empty_like(rate)
    for cycle, (wanted, velocity) in enumerate(zip(position, rate, strict=True)):
        for _ in range(STEPS):
            torque = spec.stiffness * (wanted - q) + spec.damping * (velocity - v)
            v = v + step_s * (inverse @ torque)
            q = q + step_s * v
        found[cycle] = v
    return found


def slowest_decay(spec: ArmSpec, mass: Array) -> float:
    """Returns the slowest decay of the law's own motions [1/s]."""
    inverse = np.linalg.inv(mass)
    upper = np.hstack([np.zeros((7, 7)), np.eye(7)])
    lower = np.hstack([-inverse @ np.diag(spec.stiffness), -inverse @ np.diag(spec.damping)])
    return -float(np.linalg.eigvals(np.vstack([upper, lower])).real.max())


def figures(velocity: Array) -> dict[str, float]:
    """Returns highest deceleration [rad/s2] and times to rest [ms]."""
    span = round(WINDOW_S / CYCLE_S)
    change = np.abs(velocity[span:] - velocity[:-span]).max() / WINDOW_S
    return {
        "deceleration_max": round(float(change), 1),
        "slow_ms": _slower_after(SLOW, velocity),
        "rest_ms": _slower_after(REST, velocity),
    }


def _slower_after(limit: float, velocity: Array) -> int:
    """Returns the time after which all joints stay slower than a limit [ms]."""
    return int(np.flatnonzero(np.abs(velocity).max(axis=1) >= limit)[-1]) + 1


def main(config: Config) -> None:
    """Computes, prints the table, and writes the JSON file."""
    rows: list[dict[str, object]] = []
    for robot, spec in SPECS.items():
        mass = mass_matrix(robot, PANDA.neutral)
        decay = round(slowest_decay(spec, mass), 1)
        for joint in config.joints:
            start = SPEED * np.eye(7)[joint - 1]
            inertia = round(float(mass[joint - 1, joint - 1]), 2)
            for name, position, rate in references(spec, mass, start):
                velocity = follow(spec, mass, position, rate, start)
                head = {"robot": robot, "joint": joint, "inertia": inertia, "decay": decay}
                rows.append({**head, "reference": name, **figures(velocity)})
    print_table(list(rows[0]), [[str(value) for value in row.values()] for row in rows])
    write_json(config.json, {"rows": rows})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.arms.driver.settling", description=__doc__)
