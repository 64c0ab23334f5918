"""Tables and pictures of scores."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.discovery.comparison import tables
from benchmarks.discovery.comparison.rows import row
from benchmarks.discovery.comparison.study import Scored
from matplotlib.figure import Figure


def scored(metrics: dict[str, list[float]], logs: list[list[dict[str, float]]]) -> Scored:
    return Scored(row=row("a", "A", "csf"), wanted=1, seeds=(0,), metrics=metrics, logs=logs)


def test_a_negative_score_is_in_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(tables, "save", lambda figure, _: drawn.append(figure))
    rows = [scored({"mean_return": [value]}, []) for value in (-300.0, 20.0)]
    tables.draw_bars(rows, "mean_return", "return", tmp_path / "bars.png")
    low, high = drawn[0].axes[0].get_xlim()
    assert low < -300.0
    assert high > 20.0


def test_minutes_are_those_before_the_final_evaluation() -> None:
    training = {"env_steps": 1.0, "wall_time_s": 120.0, "train/loss": 1.0}
    final = {"env_steps": 1.0, "wall_time_s": 600.0, "final/coverage_cells": 3.0}
    assert tables.minutes(scored({}, [[training, final], [training]])) == "2.0"
    assert tables.minutes(scored({}, [[final], []])) == "-"
