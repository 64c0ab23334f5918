"""The closed share of the gap between the bounds, against hand-computed values."""

from __future__ import annotations

import pytest
from benchmarks.context.goals_at_rest import CONTEXTS, R2, TIMES, Scores, print_gains, spread

TIME = TIMES[-1]


def scores() -> Scores:
    """Returns 0.8 for the upper bound, 0.2 for the lower one and 0.5 for an inferred context.

    These are the values of the first condition; the others have no gap.
    """
    first = next(iter(CONTEXTS))
    keys = [f"{name}/{TIME}" for name in CONTEXTS]
    rows: Scores = {
        "told": {key: [0.5, 0.5] for key in keys},
        "untold": {key: [0.5, 0.48] for key in keys},
        "infonce": {key: [0.5] for key in keys} | {R2[0]: [0.6]},
    }
    rows["told"][f"{first}/{TIME}"] = [0.7, 0.9]
    rows["untold"][f"{first}/{TIME}"] = [0.2, 0.2]
    rows["infonce"][f"{first}/{TIME}"] = [0.4, 0.6]
    return rows


def test_the_closed_share_is_gain_over_gap(capsys: pytest.CaptureFixture[str]) -> None:
    first = next(iter(CONTEXTS))
    closed = print_gains(scores(), TIME)
    assert closed == {"infonce": {f"{first}/{TIME}": pytest.approx(0.5)}}
    assert "+0.30 (50%)" in capsys.readouterr().out


def test_without_both_bounds_there_is_no_share() -> None:
    rows = scores()
    del rows["told"]
    assert print_gains(rows, TIME) == {}


def test_several_seeds_have_a_range() -> None:
    assert spread(None) == "-"
    assert spread([0.5]) == "0.50"
    assert spread([0.1, 0.2, 0.24]) == "0.18 (0.10 to 0.24)"
