"""The computed law, against closed forms and against MuJoCo."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.arms.driver import settling

from skill_robots.franka.specs import FR3, PANDA
from skill_robots.franka_driver.feed import CYCLE_S
from skill_robots.franka_driver.stopping import with_driver_stop
from skill_robots.motion.braking import BrakingPlanner

SOFT = replace(PANDA, stiffness=np.full(7, 100.0), damping=np.full(7, 20.0))
"""With the mass 1 this law is critically damped: its motions are ``(1 + w t) exp(-w t)``."""
STILL = np.zeros(7)


def test_an_arm_follows_the_closed_form_of_the_law() -> None:
    still = np.zeros((500, 7))
    velocity = settling.follow(SOFT, np.eye(7), still, still, np.ones(7))
    time_s = np.arange(1, 501) * CYCLE_S
    expected = (1.0 - 10.0 * time_s) * np.exp(-10.0 * time_s)
    np.testing.assert_allclose(velocity[:, 0], expected, atol=2e-3)
    assert settling.slowest_decay(SOFT, np.eye(7)) == pytest.approx(10.0, abs=1e-3)


def test_the_mass_matrix_is_symmetric_and_positive() -> None:
    mass = settling.mass_matrix("fer", PANDA.neutral)
    np.testing.assert_allclose(mass, mass.T, atol=1e-12)
    assert (np.linalg.eigvalsh(mass) > 0.0).all()
    assert mass[0, 0] == pytest.approx(2.1, abs=0.1)


def test_with_the_inertia_in_the_reference_the_arm_rests_sooner() -> None:
    mass = settling.mass_matrix("fr3", PANDA.neutral)
    start = 0.8 * np.eye(7)[0]
    rest_ms = {
        name: settling.figures(settling.follow(FR3, mass, position, rate, start))["rest_ms"]
        for name, position, rate in settling.references(FR3, mass, start)
    }
    assert rest_ms["inertia"] < rest_ms["inertia 0.8"] < 400 < rest_ms["driver"]


def test_the_reference_is_that_of_the_driver() -> None:
    planner = BrakingPlanner.of(with_driver_stop(PANDA), settling.SERVO_PERIOD_S)
    velocity = 0.8 * np.eye(7)[0]
    position, rate = settling.reference(planner, velocity)
    stop = planner.plan(STILL, velocity, STILL)
    np.testing.assert_allclose(position[-1], stop.position[-1], atol=1e-12)
    np.testing.assert_array_equal(rate[-1], STILL)


def test_the_times_to_rest_are_those_after_the_last_fast_millisecond() -> None:
    velocity = np.zeros((400, 7))
    velocity[:101, 2] = 0.06
    velocity[:301, 5] = 0.02
    assert settling.figures(velocity) == {"deceleration_max": 6.0, "slow_ms": 101, "rest_ms": 301}
