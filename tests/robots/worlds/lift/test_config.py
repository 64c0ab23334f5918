"""Sets of masses."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from skill_robots.worlds.lift.config import MASSES, LiftConfig, draw_masses
from skill_robots.worlds.world import Split


@pytest.mark.parametrize("split", MASSES)
def test_masses_lie_in_the_ranges_of_their_set_and_in_each(split: Split) -> None:
    drawn = draw_masses(split, 2000, np.random.default_rng(0))
    inside = [(low <= drawn) & (drawn <= high) for low, high in MASSES[split]]
    assert np.any(inside, axis=0).all()
    for one in inside:
        assert one.mean() == pytest.approx(1.0 / len(inside), abs=0.05)


def test_masses_of_training_are_log_uniform() -> None:
    drawn = np.log(draw_masses("train", 20_000, np.random.default_rng(1)))
    low, high = np.log(MASSES["train"][0])
    assert drawn.mean() == pytest.approx((low + high) / 2.0, abs=0.02)
    assert drawn.std() == pytest.approx((high - low) / np.sqrt(12.0), abs=0.02)


def test_tests_lie_outside_of_training() -> None:
    ((low, high),) = MASSES["train"]
    for split in ("moderate", "extreme"):
        assert all(end <= low or start >= high for start, end in MASSES[split])


def test_an_unknown_set_is_refused() -> None:
    with pytest.raises(ValidationError, match="contexts"):
        LiftConfig(contexts="hard")  # type: ignore[arg-type]
