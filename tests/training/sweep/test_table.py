"""The table of a sweep."""

from __future__ import annotations

import numpy as np
import pytest

from skill_training.sweep.grid import make_runs
from skill_training.sweep.table import mean_with_interval, summarize, to_json, to_text


def test_mean_and_interval() -> None:
    assert mean_with_interval(np.array([2.0])) == (2.0, 2.0, 2.0)
    mean, low, high = mean_with_interval(np.array([0.0, 1.0, 2.0, 3.0]))
    assert mean == pytest.approx(1.5)
    assert 0.0 <= low < 1.0
    assert 2.0 < high <= 3.0


def test_rows_have_the_runs_that_have_ended() -> None:
    runs = make_runs("csf", [0, 1], [("x", ["1", "2"])], [])
    finals = {
        "x=1_seed0": {"env_steps": 5.0, "final/cells": 10.0},
        "x=1_seed1": {"env_steps": 5.0, "final/cells": 20.0},
    }
    first, second = summarize(runs, finals)
    assert (first.setting, first.seeds) == ("x=1", (0, 1))
    assert first.metrics["cells"][0] == 15.0
    assert (second.seeds, second.metrics) == ((), {})
    assert to_text([first, second], ["cells"]).splitlines() == [
        "| setting | seeds | cells       |",
        "| ---     | ---   | ---         |",
        "| x=1     | 2     | 15 [10, 20] |",
        "| x=2     | 0     | -           |",
    ]
    assert to_json([first])[0]["metrics"]["cells"] == {"mean": 15.0, "low": 10.0, "high": 20.0}
