"""How far does a real arm's control law move the arm from the path of the trained plant?

    python -m benchmarks.arms.plant_parity

A skill policy pushes cubes on the tabletop. Its set-points are recorded and then followed without
cube and table: by the plant of training at 5 ms, by the law of the driver of a real arm (torques
at 1 kHz, with the filters of libfranka and its wheels), and by the model of an FR3. The difference
of the end effectors is that of the plants alone.

The wheels limit the change of a torque before libfranka's filter and not after it. With the limit
of 1 N m per ms a commanded torque changes by 0.39 N m per ms at most; at quick reversals the arm
then lags behind.

The last rows of the table are for an FR3, which follows the same set-points of the Panda's policy.
Rotor inertia and friction are those of the FR3's URDF; the robot's own torque controller hides part
of both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.arms.torque_law import (
    MAX_TORQUE_CHANGE,
    Joints,
    TorqueLaw,
    Trajectory,
    torque_controlled,
    trained_plant,
)
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seed
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.tabletop.compatibility import check_fits_tabletop
from skill_robots.tasks.tabletop.rollouts import (
    evaluation_goals,
    evaluation_skills,
    goal_rollouts,
    skill_rollouts,
)
from skill_robots.tasks.tabletop.setpoint_audit import SetpointAudit
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.tabletop import takes_skills

RMS_MM, MOST_MM = 1.0, 4.0
"""Largest differences to the trained plant that the driver's law may have [mm]."""

ROTOR_INERTIA = (0.6057, 0.6057, 0.4625, 0.4625, 0.2055, 0.2055, 0.2055)
"""``motor_inertia`` times the square of ``gear_ratio`` in the FR3's URDF [kg m^2], as generated
from franka_description and shipped in franky-sim 1.0.4 (``assets/fr3.urdf``)."""

JOINT_FRICTION = 0.2
"""``friction`` of each joint in the same URDF [N m]."""

HELD = TorqueLaw(low_pass=True, largest_change=MAX_TORQUE_CHANGE)
"""The law of franky and panda-py with their defaults: of a change of 1 N m, the filter passes 0.39
N m per cycle. Both limit the change before the filter, so the robot's limit is not used up."""

NARROW = replace(HELD, extrapolate=True)
"""The driver on panda-py, whose limit cannot be set."""

WIDE = replace(NARROW, largest_change=1.5)
"""The driver on franky with ``max_delta_tau=1.5``: the filter passes 0.58 N m per cycle, less than
the robot's limit of 1 N m."""

DRIVERS = {"driver, 1 N m per ms": NARROW, "driver, 1.5 N m per ms": WIDE}
"""The rows that the bars hold for."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Free motion of the trained plant, of the driver's law, and of the FR3."""

    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    episodes: PositiveInt = 16
    """Episodes of 4 s, each with a skill or a goal of its own."""
    seed: Seed = 100
    """Evaluation seed."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Set-points of one episode."""

    start: Array
    """``(7,)`` joint positions at rest [rad]."""
    setpoints: Trajectory


@dataclass
class Recorder:
    """Keeps the set-points of a batch of scenes."""

    start: Array
    """``(scenes, 7)`` [rad]."""
    positions: list[Array] = field(default_factory=list[Array])
    velocities: list[Array] = field(default_factory=list[Array])

    def recordings(self) -> list[Recording]:
        """Returns one recording per scene."""
        positions, velocities = np.stack(self.positions, 1), np.stack(self.velocities, 1)
        return [
            Recording(start=start, setpoints=(position, velocity))
            for start, position, velocity in zip(self.start, positions, velocities, strict=True)
        ]


class RecordingAudit(SetpointAudit):
    """An audit that also records each set-point."""

    def __init__(
        self, spec: ArmSpec, actions: ActionConfig, period_s: float, setpoint: Array
    ) -> None:
        super().__init__(spec, actions, period_s, setpoint, governed=0)
        self.recorder = Recorder(setpoint.copy())

    def check(self, position: Array, velocity: Array) -> None:
        """Records and checks the next set-points, both ``(n, 7)``."""
        self.recorder.positions.append(position.copy())
        self.recorder.velocities.append(velocity.copy())
        super().check(position, velocity)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Difference of the end effectors of two plants."""

    rms_mm: float
    p999_mm: float
    most_mm: float
    speed_rms_mm_s: float


def record(config: Config, period_s: float) -> list[Recording]:
    """Runs the policy on the tabletop and returns its set-points.

    Args:
        config: policy and episodes.
        period_s: servo period [s].
    """
    policy = open_policy(config.model)
    try:
        check_fits_tabletop(policy.manifest)
    except UnsupportedPolicyError as error:
        raise UsageError(str(error)) from None
    audits: list[RecordingAudit] = []

    def make_audit(
        spec: ArmSpec, actions: ActionConfig, period: float, start: Array
    ) -> RecordingAudit:
        audits.append(RecordingAudit(spec, actions, period, start))
        return audits[-1]

    manifest, tabletop = policy.manifest, TabletopConfig(physics_step_s=period_s)
    if takes_skills(manifest):
        skill_rollouts(
            policy,
            tabletop,
            skills=evaluation_skills(
                manifest.skill.kind, manifest.skill.size, config.episodes, config.seed
            ),
            episodes=1,
            seed=config.seed,
            observation_names=manifest.observation_names,
            make_audit=make_audit,
        )
    else:
        goal_rollouts(
            policy,
            tabletop,
            goals=evaluation_goals(config.episodes, config.seed),
            seed=config.seed,
            steps=tabletop.episode_steps,
            observation_names=manifest.observation_names,
            make_audit=make_audit,
        )
    return [recording for audit in audits for recording in audit.recorder.recordings()]


def plants(period_s: float) -> dict[str, Callable[[Recording], Trajectory]]:
    """Returns the plants to compare with that of training, by the name of their row."""

    def under(law: TorqueLaw, joints: Joints | None = None) -> Callable[[Recording], Trajectory]:
        arm = joints or Joints()
        return lambda each: torque_controlled(each.start, each.setpoints, period_s, law, arm)

    rotors = Joints(robot="fr3", armature=ROTOR_INERTIA)
    return {
        "torques at 1 kHz": under(TorqueLaw()),
        "with the 100 Hz low-pass": under(TorqueLaw(low_pass=True)),
        "and 1 N m per ms before it": under(HELD),
        **{name: under(law) for name, law in DRIVERS.items()},
        "the last on the FR3's inertias": under(WIDE, Joints(robot="fr3")),
        "and rotors of its URDF": under(WIDE, rotors),
        f"and joint friction {JOINT_FRICTION:g} N m": under(
            WIDE, replace(rotors, friction=JOINT_FRICTION)
        ),
    }


def compare(reference: list[Trajectory], other: list[Trajectory]) -> Difference:
    """Compares the end effectors after each servo period."""
    apart: list[Array] = []
    faster: list[Array] = []
    for (q, v), (p, w) in zip(reference, other, strict=True):
        (at, moving), (there, going) = _end_effector(q, v), _end_effector(p, w)
        apart.append(np.linalg.norm(there - at, axis=1))
        faster.append(np.linalg.norm(going - moving, axis=1))
    distance, speed = 1e3 * np.concatenate(apart), 1e3 * np.concatenate(faster)
    return Difference(
        rms_mm=float(np.sqrt(np.mean(distance**2))),
        p999_mm=float(np.percentile(distance, 99.9)),
        most_mm=float(distance.max()),
        speed_rms_mm_s=float(np.sqrt(np.mean(speed**2))),
    )


def _end_effector(position: Array, velocity: Array) -> tuple[Array, Array]:
    """Returns positions [m] and velocities [m/s] of the end effector, ``(n, 3)`` each."""
    pose, jacobian = PANDA.kinematics.forward_with_jacobian(position)
    return pose.position, (jacobian[:, :3] @ velocity[:, :, None])[:, :, 0]


def within_bars(difference: Difference) -> bool:
    """Returns whether a difference is within the bars."""
    return difference.rms_mm <= RMS_MM and difference.most_mm <= MOST_MM


def measure(config: Config, period_s: float) -> tuple[list[Recording], dict[str, Difference]]:
    """Records the set-points and returns the difference of each plant to that of training."""
    recordings = record(config, period_s)
    trained = [trained_plant(each.start, each.setpoints, period_s) for each in recordings]
    found: dict[str, Difference] = {}
    for name, follow in tqdm(plants(period_s).items(), unit="plant", disable=None, leave=False):
        found[name] = compare(trained, [follow(each) for each in recordings])
    return recordings, found


def main(config: Config) -> None:
    """Measures, prints the table and writes the result."""
    period_s = TabletopConfig().physics_step_s
    recordings, found = measure(config, period_s)
    count = sum(len(each.setpoints[0]) for each in recordings)
    fastest = max(float(np.abs(each.setpoints[1]).max()) for each in recordings)
    print(f"{config.model.stem}: {count:,} set-points of {len(recordings)} episodes, ", end="")
    print(f"joints up to {fastest:.2f} rad/s; difference to the plant of training, free motion\n")
    rows = [
        [
            name,
            *(f"{mm:.2f}" for mm in (each.rms_mm, each.p999_mm, each.most_mm)),
            f"{each.speed_rms_mm_s:.1f}",
        ]
        for name, each in found.items()
    ]
    print_table(["plant", "rms mm", "99.9 % mm", "most mm", "velocity rms mm/s"], rows)
    print()
    holds = {name: within_bars(found[name]) for name in DRIVERS}
    for name, good in holds.items():
        print(f"{name}: {'within' if good else 'not within'} {RMS_MM:g} mm rms, {MOST_MM:g} mm")
    write_json(
        config.json,
        {
            "model": str(config.model),
            "seed": config.seed,
            "setpoints": count,
            "fastest_joint_rad_s": fastest,
            "differences": {name: vars(each) for name, each in found.items()},
            "holds": holds,
        },
    )


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.arms.plant_parity", description=__doc__)
