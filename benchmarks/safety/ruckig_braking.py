"""Compares the governor's braking planner with Ruckig, inside the governor.

    pip install ruckig==0.19.4
    python -m benchmarks.safety.ruckig_braking

Both plan the braking trajectory from each set-point that a skill sends. Ruckig plans in continuous
time; ``raw`` starts it from the governor's velocity and acceleration, ``half period`` from the
velocity half a servo period later, with velocities and accelerations from the differences of the
sampled positions. The table gives the share of trajectories whose differences exceed a limit, the
largest jerk as a share of its limit, and the time of ``Governor.check`` as a ratio to our planner
in the same round.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Protocol
from unittest.mock import patch

import numpy as np

from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.arm import ArmState, JointTarget
from skill_robots.franka.specs import PANDA
from skill_robots.motion import governor
from skill_robots.motion.braking import BrakingPlanner, BrakingTrajectory
from skill_robots.motion.governor import Governor
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy

PLANNERS = ("ours", "Ruckig, raw", "Ruckig, half period")
TOLERANCE = 1e-5
"""Share of a limit by which rounding may exceed it."""


class Planner(Protocol):
    """Plans a braking trajectory."""

    def plan(self, position: Array, velocity: Array, acceleration: Array) -> BrakingTrajectory:
        """A trajectory to rest from a state, each ``(dof,)``."""
        ...


MakePlanner = Callable[[Array, Array, float], Planner]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Compares the governor's braking planner with Ruckig."""

    model: Path = Path("models/csf_panda.onnx")
    """Policy file whose set-points are checked."""
    seconds: PositiveFloat = 10.0
    """Length of the recording at each servo period [s]."""
    rounds: PositiveInt = 6
    """Rounds, each with every planner in turn."""
    json: Path | None = None
    """Where to write the result."""


@dataclass(frozen=True)
class Recording:
    """Set-points of one episode at one servo period."""

    period_s: float
    start: ArmState
    targets: list[JointTarget]
    workspace: tuple[tuple[float, float, float], tuple[float, float, float]]


class RuckigPlanner:
    """Plans with Ruckig's velocity interface and samples at the servo period."""

    def __init__(self, acceleration: Array, jerk: Array, period_s: float, *, half: bool) -> None:
        ruckig: Any = importlib.import_module("ruckig")
        self._period_s, self._half = period_s, half
        self._solver = ruckig.Ruckig(len(acceleration), period_s)
        self._input = ruckig.InputParameter(len(acceleration))
        self._input.control_interface = ruckig.ControlInterface.Velocity
        self._input.duration_discretization = ruckig.DurationDiscretization.Discrete
        self._input.max_acceleration = acceleration.tolist()
        self._input.max_jerk = jerk.tolist()
        self._input.target_velocity = self._input.target_acceleration = [0.0] * len(acceleration)
        self._trajectory = ruckig.Trajectory(len(acceleration))

    def plan(self, position: Array, velocity: Array, acceleration: Array) -> BrakingTrajectory:
        """See :class:`Planner`."""
        lead_s = 0.5 * self._period_s if self._half else 0.0
        self._input.current_position = position.tolist()
        self._input.current_velocity = (velocity + lead_s * acceleration).tolist()
        self._input.current_acceleration = acceleration.tolist()
        self._solver.calculate(self._input, self._trajectory)
        periods = ceil(self._trajectory.duration / self._period_s - 1e-6)
        if self._half and periods > 0:
            periods += 1  # the last difference of positions needs one more period
        at = self._trajectory.at_time
        rows = np.array([at(index * self._period_s) for index in range(periods + 1)])
        path, speeds, pushes = rows[:, 0], rows[:, 1], rows[:, 2]
        if self._half:
            speeds = np.vstack([velocity, np.diff(path, axis=0) / self._period_s])
            pushes = np.vstack([acceleration, np.diff(speeds, axis=0) / self._period_s])
        speeds[0], pushes[0] = velocity, acceleration
        return BrakingTrajectory(path, speeds, pushes)


def make(name: str) -> MakePlanner:
    """The constructor of a planner, with the arguments of ``BrakingPlanner``."""
    if name == "ours":
        return BrakingPlanner
    half = name == "Ruckig, half period"
    return lambda acceleration, jerk, period_s: RuckigPlanner(
        acceleration, jerk, period_s, half=half
    )


def record(policy: OnnxPolicy, period_s: float, seconds: float) -> Recording:
    """Set-points of random skills, a new one every .8 s, on the simulated arm."""
    manifest = policy.manifest
    arm = MujocoArm(TabletopConfig(physics_step_s=period_s), seed=0)
    adapter = PolicyAdapter(arm.spec, manifest, period_s)
    every = round(1.0 / (manifest.control_rate_hz * period_s))
    random = np.random.default_rng(3)
    policy.reset(1)
    start = arm.read()
    adapter.reset(start)
    skill = np.eye(manifest.skill.size)[0]
    targets: list[JointTarget] = []
    for tick in range(round(seconds / period_s)):
        state = arm.read()
        if tick % (20 * every) == 0:
            skill = random.standard_normal(manifest.skill.size)
            skill /= np.linalg.norm(skill)
        if tick % every == 0:
            observation = adapter.observation(state)[None]
            adapter.apply_action(policy.act(observation, skill=skill[None])[0], state)
        targets.append(adapter.step())
        arm.command(targets[-1])
    arm.close()
    plant = manifest.arm_plant
    return Recording(period_s, start, targets, (plant.workspace_low_m, plant.workspace_high_m))


def check_times(recording: Recording, name: str) -> Array:
    """Time of each ``Governor.check`` [us]."""
    with patch.object(governor, "BrakingPlanner", make(name)):
        checker = Governor(PANDA, *recording.workspace, recording.period_s)
    checker.reset(recording.start)
    times: list[float] = []
    for target in recording.targets:
        begin = perf_counter()
        checker.check(target, recording.start)
        times.append(1e6 * (perf_counter() - begin))
    return np.array(times)


def excess(recording: Recording, name: str) -> tuple[float, float]:
    """Share of trajectories that exceed a limit, and the largest jerk as a share of its limit."""
    dt, spec = recording.period_s, PANDA
    planner = make(name)(spec.acceleration_limit, spec.jerk_limit, dt)
    over, largest = 0, 0.0
    for target in recording.targets:
        position, velocity, acceleration = target.position, target.velocity, target.acceleration
        path = planner.plan(position, velocity, acceleration).position
        before = position - velocity * dt
        earlier = before - (velocity - acceleration * dt) * dt
        whole = np.vstack([earlier, before, path, np.repeat(path[-1:], 3, axis=0)])
        pushes = np.diff(whole, n=2, axis=0) / dt**2
        jerk = float((np.abs(np.diff(pushes, axis=0)) / dt / spec.jerk_limit).max())
        push = float((np.abs(pushes) / spec.acceleration_limit).max())
        over += max(jerk, push) > 1.0 + TOLERANCE
        largest = max(largest, jerk)
    return over / len(recording.targets), largest


def main(config: Config) -> None:
    """Prints the table."""
    if importlib.util.find_spec("ruckig") is None:
        raise UsageError("Ruckig is not installed. Fix: pip install ruckig==0.19.4")
    rows: list[list[str]] = []
    for period_s in (0.005, 0.001):
        recording = record(open_policy(config.model), period_s, config.seconds)
        ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in PLANNERS}
        for _ in range(config.rounds):
            times = {name: check_times(recording, name) for name in PLANNERS}
            ours = np.percentile(times["ours"], [50, 99])
            for name in PLANNERS:
                p50, p99 = np.percentile(times[name], [50, 99]) / ours
                ratios[name].append((float(p50), float(p99)))
        for name in PLANNERS:
            over, largest = excess(recording, name)
            middle = [f"{median(ratio[index] for ratio in ratios[name]):.2f}" for index in (0, 1)]
            rows.append(
                [name, f"{1e3 * period_s:.0f} ms", f"{over:.3f}", f"{largest:.3f}", *middle]
            )
    headers = ["planner", "servo period", "over a limit", "largest jerk", "check p50", "p99"]
    print_table(headers, rows)
    write_json(config.json, {"headers": headers, "rows": rows})


if __name__ == "__main__":
    run_program(
        main, Config, prog="python -m benchmarks.safety.ruckig_braking", description=__doc__
    )
