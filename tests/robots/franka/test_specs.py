"""The limits of both arms, value by value against the published tables written out here."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import FR3, PANDA


def test_limits_of_the_panda() -> None:
    low = [-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973]
    high = [2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973]
    assert PANDA.position_low.tolist() == low
    assert PANDA.position_high.tolist() == high
    assert PANDA.velocity_limit.tolist() == [2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61]
    assert PANDA.acceleration_limit.tolist() == [15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0]
    assert PANDA.jerk_limit.tolist() == [7500.0, 3750.0, 5000.0, 6250.0, 7500.0, 1e4, 1e4]
    assert PANDA.torque_limit.tolist() == [87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0]


def test_limits_of_the_fr3() -> None:
    low = [-2.9007, -1.8361, -2.9007, -3.0770, -2.8763, 0.4398, -3.0508]
    high = [2.9007, 1.8361, 2.9007, -0.1169, 2.8763, 4.6216, 3.0508]
    assert FR3.position_low.tolist() == low
    assert FR3.position_high.tolist() == high
    assert FR3.velocity_limit.tolist() == [2.62, 2.62, 2.62, 2.62, 5.26, 4.18, 5.26]
    assert FR3.acceleration_limit.tolist() == [10.0] * 7
    assert FR3.jerk_limit.tolist() == [5000.0] * 7
    assert FR3.torque_limit.tolist() == [87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0]


@pytest.mark.parametrize("spec", [PANDA, FR3], ids=lambda spec: spec.name)
def test_a_spec_is_complete_and_read_only(spec: ArmSpec) -> None:
    assert spec.dof == 7
    assert spec.gripper_width_max == 0.08
    assert spec.damping == pytest.approx(2 * np.sqrt(spec.stiffness))
    with pytest.raises(ValueError, match="read-only"):
        spec.position_low[0] = 0.0
