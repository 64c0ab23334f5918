"""Checks whether a policy fits the skill-aware benchmark."""

from __future__ import annotations

from skill_proto.manifest import PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.skill_aware.scenes import (
    CONTROL_RATE_HZ,
    DISPLACEMENT_M,
    GRIPPER_WIDTH_STEP_M,
    OBSERVATION,
)
from skill_robots.tasks.skill_aware.task import SKILL_AWARE


def check_fits_skill_aware(manifest: PolicyManifest) -> None:
    """Checks that task, observations, actions, rate and goals of the policy are the benchmark's.

    Raises:
        UnsupportedPolicyError: names the first difference.
    """
    goal = manifest.goal
    actions = (
        ("end_effector_displacement", 3, DISPLACEMENT_M),
        ("gripper_width_displacement", 1, GRIPPER_WIDTH_STEP_M),
    )
    for verb, found, expected in (
        ("was trained on the task", manifest.arm_plant.task, SKILL_AWARE.name),
        ("observes", manifest.observation_names, OBSERVATION),
        ("acts by", tuple((part.name, part.size, part.scale) for part in manifest.action), actions),
        ("acts at [Hz]", manifest.control_rate_hz, CONTROL_RATE_HZ),
        ("aims at", goal and (goal.field, goal.components), ("cube_position", (0, 1))),
        ("takes skills of kind", manifest.skill.kind, "none"),
    ):
        if found != expected:
            raise UnsupportedPolicyError(
                f"{manifest.name} {verb} {found}, the skill-aware benchmark needs {expected}; "
                "evaluate a policy that was trained on it"
            )
