"""Servo rates that fit a policy's rate, for the error that refuses another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_runtime.policy.servo_rates import LEAST_HZ, MOST_HZ, servo_rate_fix, suggest_servo_rates


@pytest.mark.parametrize(
    ("policy_hz", "wanted_hz", "rates"),
    [
        (30.0, 200.0, (210.0, 180.0)),
        (15.0, 200.0, (195.0, 210.0)),
        (60.0, 200.0, (180.0, 240.0)),
        (24.0, 1000.0, (1008.0, 984.0)),
        (50.0, 75.0, (100.0,)),
        (30.0, 1999.0, (1980.0,)),
        (1500.0, 200.0, (1500.0,)),
        (2000.0, 200.0, (2000.0,)),
        (2001.0, 200.0, ()),
        (1e9, 200.0, ()),
    ],
)
def test_the_nearest_multiples_are_suggested(
    policy_hz: float, wanted_hz: float, rates: tuple[float, ...]
) -> None:
    assert suggest_servo_rates(policy_hz, wanted_hz) == rates


@given(st.floats(0.1, 2000.0), st.floats(LEAST_HZ, MOST_HZ))
def test_each_suggestion_fits_as_it_is_printed(policy_hz: float, wanted_hz: float) -> None:
    for word in servo_rate_fix(policy_hz, wanted_hz).replace(" or", "").split():
        if word[:1].isdigit():
            rate = float(word)
            assert LEAST_HZ * (1 - 1e-6) <= rate <= MOST_HZ * (1 + 1e-6)
            assert rate / policy_hz == pytest.approx(round(rate / policy_hz), rel=1e-6)


def test_the_advice_names_the_flag() -> None:
    assert servo_rate_fix(30.0, 200.0) == "choose --servo-rate 210 or --servo-rate 180"
    assert "another control_rate_hz" in servo_rate_fix(3000.0, 200.0)
