"""The simulated arm of skill-serve, and its differences from the arm of training."""

from __future__ import annotations

from skill_proto.manifest import PolicyManifest
from skill_robots.arm import Arm
from skill_robots.tasks.registry import find_task
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.policy.plant_remarks import plant_remarks, usable_range

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
        mass=usable_range(manifest, QUANTITIES["mass"]) or default.mass,
        friction=usable_range(manifest, QUANTITIES["friction"]) or default.friction,
        start=find_task(manifest.plant.task).start,
    )
    return MujocoArm(config, seed=seed)


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
    found = plant_remarks(manifest, arm.spec, arm.servo_period_s)
    for quantity, value in (("mass", mass), ("friction", friction)):
        trained = manifest.trained_on.get(QUANTITIES[quantity])
        if value is not None and trained is not None and not trained.low <= value <= trained.high:
            unit = "" if trained.unit == "1" else f" {trained.unit}"
            found.append(
                f"--{quantity} {value:g}{unit} is outside the {trained.low:g} to "
                f"{trained.high:g}{unit} of training"
            )
    return found
