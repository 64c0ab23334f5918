"""A record keeps what the scores need."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.arms.episodes import Episode
from benchmarks.arms.ladder.record import Record, percentile


def episode() -> Episode:
    generator = np.random.default_rng(0)
    return Episode(
        cube=generator.uniform(-0.1, 0.1, (6, 2)),
        cube_speed=generator.uniform(0.0, 0.1, 6),
        end_effector=np.zeros((6, 3)),
        gap=generator.uniform(0.0, 0.03, 40),
        force=np.concatenate([np.zeros(10), generator.uniform(1.0, 50.0, 30)]),
        mass=0.4,
        friction=0.6,
        faults=("joint_reflex",),
    )


def test_json_keeps_a_record() -> None:
    one = Record.of(episode(), number=3, slip_s=0.004, revision="abc")
    assert Record.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_it_agrees_with_the_recording() -> None:
    whole = episode()
    one = Record.of(whole, number=0, slip_s=0.0)
    np.testing.assert_allclose(one.cube, whole.cube, atol=1e-5)
    assert one.gap_square_mm2 == pytest.approx(np.mean((1e3 * whole.gap) ** 2))
    assert sum(one.gaps.values()) == 40
    assert sum(one.forces.values()) == 30  # the servo periods with contact
    assert one.force_max_n == whole.force.max()


def test_percentiles_are_those_of_all_values_within_a_bin() -> None:
    values = np.random.default_rng(1).uniform(0.0, 30.0, 1000)
    halves = [
        Record.of(
            replace(episode(), gap=1e-3 * half),
            number=0,
            slip_s=0.0,
        ).gaps
        for half in (values[:500], values[500:])
    ]
    found = percentile(halves, 0.99, 0.1)
    assert found == pytest.approx(np.percentile(values, 99), abs=0.15)
    assert percentile([], 0.99, 0.1) == 0.0
    assert percentile([{"4": 1}], 1.0, 0.5) == 2.5
