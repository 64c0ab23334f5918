"""The simulated arm that skill-serve moves: a scene to suit the policy, and where it does not."""

from __future__ import annotations

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import Arm
from skill_robots.motion.policy_adapter import SKILL_AWARE_TASK
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import Interval, TabletopConfig

QUANTITIES = {"mass": "cube_mass", "friction": "cube_table_friction"}
"""Name of each changeable quantity of the scene in a manifest's ``trained_on``."""


def simulated_arm(manifest: PolicyManifest, *, servo_rate_hz: float, seed: int) -> MujocoArm:
    """An arm whose episodes start as those of the policy's training.

    Mass and friction are drawn from the ranges that the manifest names. A policy of the skill-aware
    benchmark starts with the hand 20 cm up, as it does there.
    """
    default = TabletopConfig()
    config = TabletopConfig(
        physics_step_s=1.0 / servo_rate_hz,
        mass=_trained(manifest, "mass", MASS_KG) or default.mass,
        friction=_trained(manifest, "friction", FRICTION) or default.friction,
        start="high" if manifest.plant.task == SKILL_AWARE_TASK else default.start,
    )
    return MujocoArm(config, seed=seed)


def _trained(manifest: PolicyManifest, quantity: str, bounds: Interval) -> Interval | None:
    seen = manifest.trained_on.get(QUANTITIES[quantity])
    if seen is None or not bounds[0] <= seen.low <= seen.high <= bounds[1]:
        return None
    return (seen.low, seen.high)


def mismatches(
    manifest: PolicyManifest, arm: Arm, mass: float | None, friction: float | None
) -> list[str]:
    """What the policy meets here that it did not meet in training, a sentence each.

    Args:
        manifest: of the policy.
        arm: what it is to move.
        mass: that the object is set to [kg]; None where it is drawn.
        friction: likewise, of the object on the table.
    """
    found: list[str] = []
    plant = manifest.plant
    if plant.task == SKILL_AWARE_TASK:
        found.append(
            "trained on the skill-aware benchmark, whose arm is stiffer and follows at once: this "
            "is another arm, on which its scores say little"
        )
    elif plant.joint_stiffness != tuple(arm.spec.stiffness):
        found.append(
            f"trained with joint stiffness {_list(plant.joint_stiffness)} N m/rad, this arm has "
            f"{_list(tuple(arm.spec.stiffness))}"
        )
    for quantity, value in (("mass", mass), ("friction", friction)):
        seen = manifest.trained_on.get(QUANTITIES[quantity])
        if value is not None and seen is not None and not seen.low <= value <= seen.high:
            unit = "" if seen.unit == "1" else f" {seen.unit}"
            found.append(
                f"--{quantity} {value:g}{unit} is outside the {seen.low:g} to {seen.high:g}{unit} "
                "of training"
            )
    return found


def _list(values: tuple[float, ...]) -> str:
    return "/".join(f"{value:g}" for value in values)
