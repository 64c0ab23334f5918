"""Distances of the arm to the table and to itself, in poses that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.franka.collision import HORIZON_M, TABLE_HORIZON_M, FrankaCollisionModel
from skill_robots.franka.specs import PANDA


def test_fingertips_reach_nine_millimetres_below_the_end_effector() -> None:
    found = FrankaCollisionModel(table_height_m=0.04).measure(PANDA.neutral)
    # End effector at .06, which is .1034 along the hand; fingertips at .0584 + .0274 + .0264.
    assert found.table == pytest.approx(0.02 - (0.1122 - 0.1034), abs=1e-6)
    assert found.end_effector == pytest.approx((0.6, 0.0, 0.06), abs=1e-6)


def test_far_distances_are_reported_as_the_horizon() -> None:
    ready = np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4])
    found = FrankaCollisionModel().measure(ready)
    assert found.table == TABLE_HORIZON_M
    assert found.self_collision == HORIZON_M


def test_a_gripper_in_the_table_has_a_negative_distance() -> None:
    lowered = PANDA.neutral.copy()
    lowered[1] += 0.2
    assert FrankaCollisionModel().measure(lowered).table < -0.05


def test_a_gripper_folded_onto_the_forearm_touches_it() -> None:
    folded = np.array([0.0, 0.0, 0.0, -2.5, 0.0, 0.0, 0.0])
    assert FrankaCollisionModel().measure(folded).self_collision < 0.0
