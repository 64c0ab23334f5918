"""How near the arm is to the table and itself, in poses that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.franka import kinematics
from skill_robots.franka.clearance import HORIZON_M, TABLE_HORIZON_M, ClearanceModel


def test_fingertips_reach_nine_millimetres_below_the_end_effector() -> None:
    found = ClearanceModel(table_height_m=0.04).measure(kinematics.NEUTRAL)
    # End effector at .06; fingertips at .0584 + .0274 + .0264 along the hand, it at .1034.
    assert found.table == pytest.approx(0.02 - (0.1122 - 0.1034), abs=1e-6)
    assert found.end_effector == pytest.approx((0.6, 0.0, 0.06), abs=1e-6)


def test_what_is_far_is_at_the_horizon() -> None:
    ready = np.array([0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4])
    found = ClearanceModel().measure(ready)
    assert found.table == TABLE_HORIZON_M
    assert found.self_collision == HORIZON_M


def test_a_hand_in_the_table_is_below_it() -> None:
    lowered = kinematics.NEUTRAL.copy()
    lowered[1] += 0.2
    assert ClearanceModel().measure(lowered).table < -0.05


def test_a_hand_folded_onto_the_forearm_touches() -> None:
    folded = np.array([0.0, 0.0, 0.0, -2.5, 0.0, 0.0, 0.0])
    assert ClearanceModel().measure(folded).self_collision < 0.0
