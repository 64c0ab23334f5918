"""The area under the ROC curve, against values by hand."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.context.outside.roc import area, pairwise


@pytest.mark.parametrize(
    ("inside", "outside", "wanted"),
    [
        ([1.0, 2.0], [3.0, 4.0], 1.0),
        ([3.0, 4.0], [1.0, 2.0], 0.0),
        ([1.0, 1.0], [1.0, 1.0], 0.5),  # ties count half
        # Of the pairs (2 > 1), (2 < 3), (4 > 1), (4 > 3), three of four are higher outside.
        ([1.0, 3.0], [2.0, 4.0], 0.75),
        # (1 = 1), (1 < 2), (3 > 1), (3 > 2), (2 > 1), (2 = 2): (0.5 + 0 + 1 + 1 + 1 + 0.5) / 6.
        ([1.0, 2.0], [1.0, 3.0, 2.0], 4.0 / 6.0),
    ],
)
def test_it_is_the_share_of_higher_pairs(
    inside: list[float], outside: list[float], wanted: float
) -> None:
    found = pairwise(np.array([inside]), np.array([outside]))
    assert found.item() == pytest.approx(wanted)


def test_scenes_are_compared_pair_by_pair() -> None:
    inside = np.array([[1.0, 3.0], [5.0, 5.0]])
    outside = np.array([[2.0, 4.0], [5.0, 6.0], [0.0, 0.0]])
    wanted = [[0.75, 0.0], [1.0, 0.75], [0.0, 0.0]]
    np.testing.assert_allclose(pairwise(inside, outside), wanted)
    assert area(inside, outside).area == pytest.approx(np.mean(wanted))
    pooled = pairwise(inside.reshape(1, -1), outside.reshape(1, -1))
    assert area(inside, outside).area == pytest.approx(pooled.item())


def test_the_interval_is_that_of_scenes_not_of_steps() -> None:
    rng = np.random.default_rng(1)
    level = rng.normal(size=(2, 20, 1))
    few = area(level[0], level[1] + 1.0)
    # A thousand equal steps of each scene say no more than one.
    many = area(np.repeat(level[0], 1000, axis=1), np.repeat(level[1] + 1.0, 1000, axis=1))
    assert many == pytest.approx(few)
    assert few.low < few.area < few.high
    # Hanley and McNeil's standard error at this area, about .08, times +-1.96.
    assert few.high - few.low == pytest.approx(4 * 0.08, abs=0.12)


def test_without_a_doubt_there_is_no_interval() -> None:
    assert area(np.zeros((4, 3)), np.ones((5, 3))) == (1.0, 1.0, 1.0)
