"""Lists the differences between the plant of training and the plant that runs a policy.

Such a policy runs as its manifest declares, so it is not refused, but it may perform worse than in
training. ``skill_robots.motion.policy_support`` refuses manifests that contradict the robot.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.drives.choice import displacement_scale
from skill_robots.motion.policy_support import TRAINED_UNITS
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_robots.tasks.registry import TASKS, find_task
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_robots.tasks.task import Task

BOUNDS = {"cube_mass": MASS_KG, "cube_table_friction": FRICTION}
"""Bounds of the simulated object, by the name of the quantity in ``trained_on``."""

ARMS = {spec.name: spec for spec in (PANDA, FR3)}
"""Arms by their name in manifests."""

_TOLERANCE = 0.01
"""Relative difference of two values of a plant that counts as equal: manifests may be rounded."""

_LEAST_SCALE_M = 5e-4
"""A displacement per action below this hardly moves the arm [m]."""


def usable_range(manifest: PolicyManifest, quantity: str) -> tuple[float, float] | None:
    """Returns the trained range of a quantity of :data:`BOUNDS`.

    None if the manifest does not list it, or if the range exceeds the bounds of the simulation.
    """
    trained, (least, most) = manifest.trained_range(quantity), BOUNDS[quantity]
    if trained is None or not least <= trained[0] <= trained[1] <= most:
        return None
    return trained


def plant_remarks(
    manifest: PolicyManifest, spec: ArmSpec, servo_period_s: float, task: Task = TABLETOP
) -> list[str]:
    """Lists the differences of the plant, one per string.

    Args:
        manifest: Manifest of the policy.
        spec: The arm that runs the policy.
        servo_period_s: Time between two set-points, and the physics step of a simulation [s].
        task: Task that is run; the plant is compared only with that of the tabletop.
    """
    plant = manifest.arm_plant
    found: list[str] = []
    if plant.robot != spec.name:
        found.append(f"trained on the robot {plant.robot!r}, this arm is {spec.name!r}")
        found += _limits(ARMS.get(plant.robot), spec)
    if plant.task not in TASKS:
        found.append(f"trained on the task {plant.task!r}, which is treated as {TABLETOP.title}")
    if task is TABLETOP:
        remark = find_task(plant.task).remark
        found += _servo(manifest, spec, servo_period_s) if remark is None else [remark]
        found += _action(manifest, spec)
    return found + _ranges(manifest)


def _servo(manifest: PolicyManifest, spec: ArmSpec, servo_period_s: float) -> list[str]:
    """Compares stiffness, damping, physics step, shaper and rate."""
    plant = manifest.arm_plant
    found = [
        f"trained with joint {name} {_list(trained)} {unit}, this arm has {_list(here)}"
        for name, unit, trained, here in (
            ("stiffness", "N m/rad", plant.joint_stiffness, spec.stiffness),
            ("damping", "N m s/rad", plant.joint_damping, spec.damping),
        )
        if not _equal(trained, here)
    ]
    if not _equal(plant.physics_step_s, servo_period_s):
        found.append(
            f"trained with a physics step of {1e3 * plant.physics_step_s:g} ms, this arm gets a "
            f"set-point every {1e3 * servo_period_s:g} ms"
        )
    share = ShaperConfig().limit_share
    if not _equal(plant.velocity_limit_share, share):
        found.append(
            f"trained with {plant.velocity_limit_share:g} of the arm's limits in the set-point "
            f"shaper, the plant of docs/plant.md has {share:g}"
        )
    if not _equal(manifest.control_rate_hz, Tabletop.control_rate_hz):
        found.append(
            f"acts at {manifest.control_rate_hz:g} Hz, the plant of docs/plant.md at "
            f"{Tabletop.control_rate_hz:g} Hz"
        )
    return found


def _limits(trained: ArmSpec | None, here: ArmSpec) -> list[str]:
    """Compares the limits that the set-point shaper follows; None is an arm that is not known."""
    if trained is None:
        return []
    return [
        f"the set-point shaper follows the limits of the arm: joint {name} in training "
        f"{_list(before)} {unit}, here {_list(now)}"
        for name, unit, before, now in (
            ("velocity", "rad/s", trained.velocity_limit, here.velocity_limit),
            ("acceleration", "rad/s^2", trained.acceleration_limit, here.acceleration_limit),
        )
        if not _equal(before, now)
    ]


def _action(manifest: PolicyManifest, spec: ArmSpec) -> list[str]:
    """Compares workspace, set-point error and scale of the action."""
    plant, here = manifest.arm_plant, ActionConfig()
    found: list[str] = []
    beyond = [
        axis
        for axis, low, high, least, most in zip(
            "xyz",
            plant.workspace_low_m,
            plant.workspace_high_m,
            here.workspace_low,
            here.workspace_high,
            strict=True,
        )
        if low < least - 1e-9 or high > most + 1e-9
    ]
    if beyond:
        found.append(
            f"its workspace goes beyond that of this arm's table in {', '.join(beyond)}: "
            f"{_list(plant.workspace_low_m)} to {_list(plant.workspace_high_m)} m, not "
            f"{_list(here.workspace_low)} to {_list(here.workspace_high)} m"
        )
    error = plant.max_setpoint_error_m
    if error > here.max_setpoint_error * (1 + _TOLERANCE):
        found.append(
            f"its max_setpoint_error_m {error:g} m allows pushes "
            f"{error / here.max_setpoint_error:.2g} times as strong as the "
            f"{here.max_setpoint_error:g} m of docs/plant.md"
        )
    scale = displacement_scale(manifest, ActionConfig.displacement)
    attainable = max(error, spec.end_effector_speed / manifest.control_rate_hz)
    if scale > attainable:
        found.append(
            f"an action of 1 displaces the end effector by {scale:g} m, but a control step moves "
            f"it by at most {attainable:.2g} m: large actions are cut"
        )
    if scale < _LEAST_SCALE_M:
        found.append(f"an action of 1 displaces the end effector by only {scale:g} m")
    return found


def _ranges(manifest: PolicyManifest) -> list[str]:
    """Lists trained ranges that the simulation cannot draw from."""
    return [
        f"trained on {name} {span.low:g} to {span.high:g}{_unit(name)}, which is beyond the "
        f"{bounds[0]:g} to {bounds[1]:g}{_unit(name)} of the simulation: its default range is used"
        for name, bounds in BOUNDS.items()
        if (span := manifest.trained_on.get(name)) is not None
        and usable_range(manifest, name) is None
    ]


def _unit(quantity: str) -> str:
    unit = TRAINED_UNITS[quantity]
    return "" if unit == "1" else f" {unit}"


def _equal(one: ArrayLike, other: ArrayLike) -> bool:
    first, second = np.atleast_1d(one), np.atleast_1d(other)
    return first.shape == second.shape and np.allclose(first, second, rtol=_TOLERANCE, atol=0.0)


def _list(values: Sequence[float] | ArrayLike) -> str:
    return "/".join(f"{value:.4g}" for value in np.atleast_1d(values))
