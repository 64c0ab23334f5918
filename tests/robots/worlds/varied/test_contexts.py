"""Sets of contexts, against numbers counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.worlds.varied.contexts import ContextSets, flags, squares, values
from skill_robots.worlds.varied.table import VARIED
from skill_robots.worlds.world import Split

SETS = ContextSets(
    names=("mass_scale", "crippled_a", "crippled_b"),
    train=((values(1.0), flags(2, (), (0,))), (values(2.0, 3.0), flags(2, (1,)))),
    moderate=((values(4.0), flags(2, (0, 1))),),
    extreme=((values(5.0), flags(2, ())), (values(5.0, 6.0), flags(2, ()))),
)

COUNTS = {
    "varied_ant": (25, 16, 5),
    "varied_half_cheetah": (25, 16, 16),
    "varied_hopper": (25, 16, 16),
    "varied_walker": (25, 16, 4),
    "varied_slim_humanoid": (25, 16, 16),
    "varied_humanoid_standup": (25, 16, 16),
    "crippled_ant": (20, 16, 24),
    "crippled_half_cheetah": (15, 12, 60),
    "crippled_hopper": (5, 4, 12),
    "crippled_walker": (10, 12, 8),
}
"""Number of contexts of each set."""


def test_the_cells_are_the_combinations_of_each_group() -> None:
    np.testing.assert_array_equal(SETS.cells("train"), [[1, 0, 0], [1, 1, 0], [2, 0, 1], [3, 0, 1]])
    np.testing.assert_array_equal(SETS.cells("moderate"), [[4, 1, 1]])


def test_a_context_of_two_groups_is_one_cell() -> None:
    np.testing.assert_array_equal(SETS.cells("extreme"), [[5, 0, 0], [6, 0, 0]])


def test_groups_are_equally_likely_and_so_are_the_alternatives_of_each() -> None:
    drawn = SETS.draw("extreme", 4000, np.random.default_rng(0))
    assert (drawn[:, 0] == 6.0).mean() == pytest.approx(0.25, abs=0.03)


def test_equal_generators_draw_equal_contexts() -> None:
    first, second = (SETS.draw("train", 20, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_pairs_of_sets_stay_apart() -> None:
    sets = ContextSets(names=("a", "b"), train=squares((1.0, 2.0), (3.0,)), moderate=(), extreme=())
    assert len(sets.train) == 4
    drawn = sets.draw("train", 2000, np.random.default_rng(0))
    assert (drawn[:, 0] == 3.0).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("name", VARIED)
def test_the_sets_have_the_published_sizes(name: str) -> None:
    sets = VARIED[name].contexts
    found = tuple(len(sets.cells(split)) for split in ("train", "moderate", "extreme"))
    assert found == COUNTS[name]
    assert sets.cells("train").shape[1] == len(sets.names)


@pytest.mark.parametrize("name", VARIED)
def test_no_context_of_training_is_one_of_a_test(name: str) -> None:
    train, moderate, extreme = (
        set(map(tuple, VARIED[name].contexts.cells(split)))
        for split in ("train", "moderate", "extreme")
    )
    assert not train & (moderate | extreme)
    assert (moderate == extreme) == (name == "varied_hopper")  # as published
    assert not moderate & extreme or name == "varied_hopper"


@pytest.mark.parametrize("split", ["train", "moderate", "extreme"])
def test_crippled_ant_has_one_crippled_leg_and_two_in_the_last_test(split: Split) -> None:
    legs = VARIED["crippled_ant"].contexts.cells(split)[:, 1:].sum(axis=1)
    assert set(legs) == {2.0 if split == "extreme" else 1.0}
