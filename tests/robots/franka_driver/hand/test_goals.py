"""The gripper gets a new goal only if the target has changed."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.arm import JointTarget
from skill_robots.franka_driver.hand.goals import NO_GOAL, next_goal
from skill_robots.franka_driver.records import HandGoal


def target(width: float | None, *, grasp: bool = False) -> JointTarget:
    still = np.zeros(7)
    return JointTarget(
        position=still, velocity=still, acceleration=still, gripper_width=width, grasp=grasp
    )


@pytest.mark.parametrize(
    ("width", "grasp", "last", "expected"),
    [
        (None, False, NO_GOAL, None),
        (0.0, False, NO_GOAL, HandGoal(1, 0.0, False)),  # also the width of the start
        (0.041, False, HandGoal(3, 0.04, False), None),
        (0.043, False, HandGoal(3, 0.04, False), HandGoal(4, 0.043, False)),
        (None, True, NO_GOAL, HandGoal(1, 0.0, True)),
        (None, True, HandGoal(3, 0.0, True), None),
        (None, True, HandGoal(3, 0.04, False), HandGoal(4, 0.0, True)),
        (0.0, False, HandGoal(3, 0.0, True), HandGoal(4, 0.0, False)),
    ],
)
def test_goals(width: float | None, grasp: bool, last: HandGoal, expected: HandGoal | None) -> None:
    assert next_goal(target(width, grasp=grasp), last) == expected
