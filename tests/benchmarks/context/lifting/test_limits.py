"""The masses that arm and grip hold."""

from __future__ import annotations

import numpy as np
from benchmarks.context.lifting.laws import STIFFNESS
from benchmarks.context.lifting.limits import hold


def test_the_sag_is_the_weight_and_the_strongest_grip_holds_1_point_8_kg() -> None:
    sag, slip = hold(np.array([0.8, 1.8, 2.0]))
    np.testing.assert_allclose(sag[:2], np.array([0.8, 1.8]) * 9.81 / STIFFNESS, rtol=0.08)
    assert slip[0] < slip[1] < 0.025
    assert slip[2] > 0.1
