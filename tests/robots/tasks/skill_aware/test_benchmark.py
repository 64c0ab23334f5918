"""The skill-aware benchmark without its engines: cells, starts, success and labels."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from skill_robots.observation import layout
from skill_robots.tasks.engine import EngineMissingError
from skill_robots.tasks.skill_aware.benchmark import (
    CELLS,
    EXTREME,
    MODERATE,
    SPLITS,
    TRAIN,
    Cell,
    cell_name,
    draw_starts,
    motion_kind,
    success,
)
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_robots.tasks.skill_aware.scenes import OBSERVATION, Contacts


def test_splits_are_the_published_ones() -> None:
    assert [cell_name(cell) for cell in TRAIN] == ["0.1,1", "0.1,5", "0.1,10", "1,1", "5,1", "10,1"]
    assert {cell_name(cell) for cell in MODERATE} == {"1,5", "1,10", "5,5", "5,10", "10,5", "10,10"}
    assert {cell_name(cell) for cell in EXTREME} == {
        *("30,1", "30,5", "30,10", "30,30"),
        *("0.1,30", "1,30", "5,30", "10,30"),
    }
    assert sorted(TRAIN + MODERATE + EXTREME) == sorted(CELLS)
    assert list(SPLITS) == ["train", "moderate", "extreme"]


def test_observation_has_23_numbers() -> None:
    assert max(part.stop for part in layout(OBSERVATION).values()) == 23


def test_starts_fill_the_area_and_follow_the_seed() -> None:
    starts = draw_starts(5000, np.random.default_rng(7))
    again = draw_starts(5000, np.random.default_rng(7))
    assert (starts.cube == again.cube).all()
    assert (starts.goal == again.goal).all()
    for points in (starts.cube, starts.goal):
        assert points.shape == (5000, 2)
        assert 0.149 < np.abs(points).max() <= 0.15
        assert np.abs(points.mean(axis=0)).max() < 0.005
    # Cube and goal are independent: the mean distance of two points in a square of side a is
    # 0.5214 a.
    assert np.linalg.norm(starts.cube - starts.goal, axis=1).mean() == pytest.approx(
        0.5214 * 0.3, rel=0.02
    )


def test_one_start_in_thirteen_needs_no_motion() -> None:
    """P(distance < r) in a square of side a is pi s^2 - 8/3 s^3 + s^4 / 2 with s = r / a."""
    s = 0.05 / 0.3
    expected = np.pi * s**2 - 8 / 3 * s**3 + s**4 / 2
    starts = draw_starts(50_000, np.random.default_rng(0))
    solved = success(np.column_stack([starts.cube, np.full(50_000, 0.02)]), starts.goal)
    assert expected == pytest.approx(0.0753, abs=1e-4)
    assert solved.mean() == pytest.approx(expected, abs=0.004)


def test_success_is_measured_in_space() -> None:
    cube = np.array(
        [[0.0, 0.0, 0.02], [0.0499, 0.0, 0.02], [0.0, 0.0501, 0.02], [0.03, 0.0, 0.061]]
    )
    assert success(cube, np.zeros((4, 2))).tolist() == [True, True, False, False]


def test_motion_kinds_are_the_published_ones() -> None:
    height = np.array([0.02, 0.03, 0.03, 0.03, 0.03])
    contacts = Contacts(
        table=np.array([False, False, True, False, False]),
        fingers=np.array([[1, 1], [1, 1], [1, 1], [1, 0], [0, 0]], dtype=np.bool_),
    )
    assert motion_kind(height, contacts).tolist() == [0, 2, 1, 1, 1]


def test_cell_names_have_no_trailing_zeros() -> None:
    assert cell_name(Cell(0.1, 10.0)) == "0.1,10"
    assert cell_name(Cell(2.5, 7.25)) == "2.5,7.25"


def test_missing_engine_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pybullet", "panda_gym"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "skill_robots.tasks.skill_aware.bullet_scenes", raising=False)
    with pytest.raises(EngineMissingError, match=r"pybullet.*skill-serve\[bullet\].*mujoco"):
        make_scenes("bullet", 1)
