"""The simulated arm of skill-serve, and its differences from the arm of training."""

from __future__ import annotations

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import Arm
from skill_robots.tasks.registry import find_task
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import Interval, TabletopConfig

QUANTITIES = {"mass": "cube_mass", "friction": "cube_table_friction"}
"""Name of each changeable quantity of the scene in a manifest's ``trained_on``."""


def simulated_arm(manifest: PolicyManifest, *, servo_rate_hz: float, seed: int) -> MujocoArm:
    """Returns an arm whose episodes start like those of the policy's training.

    Mass and friction are drawn from the manifest's ranges. The start height of the end effector
    is that of the policy's task.
    """
    default = TabletopConfig()
    config = TabletopConfig(
        physics_step_s=1.0 / servo_rate_hz,
        mass=_range_within(manifest, "mass", MASS_KG) or default.mass,
        friction=_range_within(manifest, "friction", FRICTION) or default.friction,
        start=find_task(manifest.plant.task).start,
    )
    return MujocoArm(config, seed=seed)


def _range_within(manifest: PolicyManifest, quantity: str, bounds: Interval) -> Interval | None:
    """Returns the trained range of ``quantity``; None if unknown or outside the scene's bounds."""
    trained = manifest.trained_range(QUANTITIES[quantity])
    if trained is None or not bounds[0] <= trained[0] <= trained[1] <= bounds[1]:
        return None
    return trained


def mismatches(
    manifest: PolicyManifest, arm: Arm, mass: float | None, friction: float | None
) -> list[str]:
    """Lists the differences of this arm and scene from those of training, one per string.

    Args:
        manifest: Manifest of the policy.
        arm: The arm that the policy will move.
        mass: Fixed mass of the object [kg]; None for a random one.
        friction: Fixed friction of object and table; None for a random one.
    """
    found: list[str] = []
    plant = manifest.plant
    remark = find_task(plant.task).remark
    if remark is not None:
        found.append(remark)
    elif plant.joint_stiffness != tuple(arm.spec.stiffness):
        found.append(
            f"trained with joint stiffness {_list(plant.joint_stiffness)} N m/rad, this arm has "
            f"{_list(tuple(arm.spec.stiffness))}"
        )
    for quantity, value in (("mass", mass), ("friction", friction)):
        trained = manifest.trained_on.get(QUANTITIES[quantity])
        if value is not None and trained is not None and not trained.low <= value <= trained.high:
            unit = "" if trained.unit == "1" else f" {trained.unit}"
            found.append(
                f"--{quantity} {value:g}{unit} is outside the {trained.low:g} to "
                f"{trained.high:g}{unit} of training"
            )
    return found


def _list(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:g}" for value in values)
