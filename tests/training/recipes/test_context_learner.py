"""The base of learners with a context."""

from __future__ import annotations

import numpy as np
import pytest

from skill_training.recipes.context_learner import log_uniform_moments


def test_moments_are_those_of_the_drawn_quantities() -> None:
    ends = np.log(np.array([[0.1, 1.0], [20.0, 4.0]]))
    drawn = np.random.default_rng(0).uniform(ends[0], ends[1], (200_000, 2))
    mean, std = log_uniform_moments(ends)
    assert mean == pytest.approx(drawn.mean(0), abs=0.01)
    assert std == pytest.approx(drawn.std(0), abs=0.01)


def test_a_point_range_has_a_positive_standard_deviation() -> None:
    mean, std = log_uniform_moments(np.log(np.array([[0.4], [0.4]])))
    assert mean == pytest.approx([np.log(0.4)])
    assert std[0] > 0
