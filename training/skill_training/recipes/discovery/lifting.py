"""Policies that drive the gripper: texts about them, and their world without held starts."""

from __future__ import annotations

from dataclasses import replace

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.registry import WorldConfig
from skill_training.recipes.discovery.config import SkillConfig

CLOSED = """\
- One 4 cm cube on a flat table, the gripper closed and pointing down; it pushes, it does not
  grasp.
"""
"""Limit of a policy that does not drive the gripper."""

DRIVEN = """\
- One 4 cm cube on a flat table, the gripper pointing down.
- A real gripper carries out one motion at a time: `skill-serve` makes commands to open and to grasp
  of the policy's widths (docs/policy-file.md), which training has not seen.
"""
"""Limit of a policy that drives the gripper."""

HELD = """\
- Starts name the object: in {share:.0%} of the training episodes the cube began between the
  fingers.
"""
"""Limit of a policy that was trained with held starts."""


def without_held_starts(task: WorldConfig) -> WorldConfig:
    """Returns the world for the test of which entries the actions drive.

    A held cube moves with the arm, so that the test would count it as a part of the arm.
    """
    is_aided = isinstance(task, TabletopConfig) and task.held_share > 0.0
    return replace(task, held_share=0.0) if is_aided else task


def hand_limits(task: TabletopConfig) -> str:
    """Returns the limits of use that the hand causes, as lines of the card."""
    held = HELD.format(share=task.held_share) if task.held_share > 0.0 else ""
    return (DRIVEN if task.gripper else CLOSED) + held


def gripper_remark(config: SkillConfig) -> str:
    """Returns the sentences of a description about the gripper; empty without one."""
    task = config.task
    if not isinstance(task, TabletopConfig) or not task.gripper:
        return ""
    held = (
        f" In {task.held_share:.0%} of the training episodes the cube began between the fingers, "
        "which names the object."
    )
    return " The policy also drives the gripper." + (held if task.held_share > 0.0 else "")
