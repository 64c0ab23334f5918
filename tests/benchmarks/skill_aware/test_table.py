"""Gains and scores of the tables, with results computed by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from benchmarks.skill_aware.scores import Score, read_scores
from benchmarks.skill_aware.table import gain

from skill_robots.tasks.skill_aware.benchmark import CELLS, SPLITS, Cell, cell_name
from skill_runtime.console.flags import UsageError

CELL = Cell(5.0, 30.0)


def score(rate: float, episodes: int | None = 50) -> Score:
    """Returns one run with the same success in every cell."""
    return Score(runs=(dict.fromkeys(CELLS, rate),), episodes=episodes)


def test_a_gain_has_the_error_of_two_binomial_rates() -> None:
    difference, error = gain(score(0.5), score(0.3), CELL)
    # (25 + 1) / 52 and (15 + 1) / 52, each p (1 - p) / 52.
    first, second = 26 / 52, 16 / 52
    expected = math.sqrt((first * (1 - first) + second * (1 - second)) / 52)
    assert difference == pytest.approx(0.2)
    assert error == pytest.approx(expected)


def test_rates_of_one_and_zero_have_an_error() -> None:
    _, error = gain(score(1.0), score(0.0), CELL)
    assert error == pytest.approx(math.sqrt(2 * (51 / 52) * (1 / 52) / 52))


def test_scores_are_read_by_name_and_averaged_over_the_cells_of_a_split(tmp_path: Path) -> None:
    cells = {cell_name(cell): 0.0 for cell in CELLS}
    train = SPLITS["train"]
    cells[cell_name(train[0])] = 1.0
    part = {"cells": cells, "settings": {"episodes": 50}}
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"policies": {"pick": part}}))
    found = read_scores([f"pick={path}#policies/pick"])["pick"]
    assert found.episodes == 50
    assert found.split("train") == [pytest.approx(1 / len(train))]
    assert found.mean(train[0]) == 1.0


def test_a_file_that_lacks_cells_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"cells": {cell_name(CELL): 1.0}}))
    with pytest.raises(UsageError, match="lacks the cells"):
        read_scores([f"a={path}"])
    with pytest.raises(UsageError, match="has no part 'policies'"):
        read_scores([f"a={path}#policies/pick"])


@pytest.mark.parametrize("value", [1.5, -0.1, "0.5", None, True, math.nan])
def test_a_success_that_is_no_share_is_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "scores.json"
    cells: dict[str, object] = {cell_name(cell): 0.5 for cell in CELLS}
    path.write_text(json.dumps({"cells": cells | {cell_name(CELL): value}}))
    with pytest.raises(UsageError, match="not a number from 0 to 1"):
        read_scores([f"a={path}"])


@pytest.mark.parametrize("count", [0, -1, 1.5, "many", True])
def test_a_count_of_episodes_that_is_no_positive_integer_is_refused(
    tmp_path: Path, count: object
) -> None:
    path = tmp_path / "scores.json"
    cells = {cell_name(cell): 0.5 for cell in CELLS}
    path.write_text(json.dumps({"cells": cells, "settings": {"episodes": count}}))
    with pytest.raises(UsageError, match="not a positive integer"):
        read_scores([f"a={path}"])


def test_cells_and_settings_that_are_no_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"cells": [1], "settings": 3}))
    with pytest.raises(UsageError, match="lacks the cells"):
        read_scores([f"a={path}"])
