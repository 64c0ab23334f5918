"""From targets of the arm to goals of the gripper."""

from __future__ import annotations

from skill_robots.arm import JointTarget
from skill_robots.franka_driver.records import HandGoal

GRIPPER_STEP_M = 2e-3
"""A smaller change of the width is no new goal for the gripper [m]."""

NO_GOAL = HandGoal(0, 0.0, False)
"""The goal before the first."""


def next_goal(target: JointTarget, last: HandGoal) -> HandGoal | None:
    """Returns the goal of a target of the arm; None if the last goal stays in force."""
    width = target.gripper_width
    if target.grasp:
        changed = not last.is_grasp or last.number == 0
    elif width is not None:
        changed = last.number == 0 or last.is_grasp
        changed = changed or abs(width - last.width_m) > GRIPPER_STEP_M
    else:
        return None
    return HandGoal(last.number + 1, width or 0.0, target.grasp) if changed else None
