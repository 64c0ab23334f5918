"""The driver's law by hand, and its parity with the plant of training on one episode."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.arms.plant_parity import (
    DRIVERS,
    Config,
    compare,
    record,
    within_bars,
)
from benchmarks.arms.torque_law import (
    Joints,
    TorqueLaw,
    low_pass_gain,
    torque_controlled,
    trained_plant,
)

from skill_proto.arrays import Array
from skill_robots.franka.specs import PANDA

PERIOD_S = 0.005
START = np.array(PANDA.neutral)


def at_rest(n: int, position: Array = START) -> tuple[Array, Array]:
    return np.tile(position, (n, 1)), np.zeros((n, 7))


def test_the_filter_passes_two_fifths_of_a_step() -> None:
    """1 ms and 100 Hz: .001 / (.001 + .00159155)."""
    assert low_pass_gain() == pytest.approx(0.38587, abs=1e-5)
    assert low_pass_gain(cutoff_hz=1e9) == pytest.approx(1.0, abs=1e-6)


def test_an_arm_at_its_set_point_stays() -> None:
    for positions, rates in (
        trained_plant(START, at_rest(20), PERIOD_S),
        torque_controlled(START, at_rest(20), PERIOD_S, TorqueLaw(), Joints(robot="fr3")),
    ):
        assert positions == pytest.approx(np.tile(START, (20, 1)), abs=1e-9)
        assert np.abs(rates).max() < 1e-9


def test_a_limited_torque_rises_by_its_share_in_each_cycle() -> None:
    """A far set-point raises the torque of joint 7 by .386 N m in each of five cycles.

    Their impulse is 15 times .386 N m ms, over an inertia of about .1 kg m^2; damping of 1 N m
    s/rad hardly slows the joint in 5 ms.
    """
    far = START + np.eye(7)[6]
    law = TorqueLaw(low_pass=True, largest_change=1.0)
    _, rates = torque_controlled(START, at_rest(1, far), PERIOD_S, law, Joints())
    impulse = 15 * low_pass_gain() * 1e-3
    assert rates[0, 6] == pytest.approx(impulse / 0.1, rel=0.1)
    _, unlimited = torque_controlled(START, at_rest(1, far), PERIOD_S, TorqueLaw(), Joints())
    assert unlimited[0, 6] > 10 * rates[0, 6]


def test_rotors_and_friction_slow_the_arm() -> None:
    far = START + 0.05 * np.eye(7)[6]
    found = [
        torque_controlled(START, at_rest(10, far), PERIOD_S, TorqueLaw(), joints)[0][-1, 6]
        for joints in (Joints(), Joints(armature=(0.5,) * 7), Joints(friction=1.0))
    ]
    assert found[0] > found[1]
    assert found[0] > found[2]


def test_the_law_without_filters_is_the_plant_of_training() -> None:
    """The same impedance at 1 and at 5 ms, on set-points of a policy."""
    (recording,) = record(Config(episodes=1), PERIOD_S)
    trained = trained_plant(recording.start, recording.setpoints, PERIOD_S)
    assert len(trained[0]) == 800
    same = compare([trained], [trained])
    assert (same.rms_mm, same.most_mm) == (0.0, 0.0)
    for law in (TorqueLaw(), DRIVERS["driver, 1.5 N m per ms"]):
        followed = torque_controlled(
            recording.start, recording.setpoints, PERIOD_S, law, Joints(robot="fr3")
        )
        assert within_bars(compare([trained], [followed]))
