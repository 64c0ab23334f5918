"""Environment steps at equal compute, from costs that are measured once for each command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from benchmarks.discovery.comparison import cost
from benchmarks.discovery.comparison.rows import RANDOM, Row, row

ROWS = (row("csf", "CSF", "csf"), row("wide", "wide", "csf", "--algorithm.hidden 64"), RANDOM)


def test_a_command_is_measured_once_and_another_one_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[tuple[str, ...]] = []

    def measure(rows: Sequence[Row], flags: Sequence[str]) -> dict[str, float]:
        measured.append(tuple(flags))
        return {one.key: 2.0 if one.flags else 0.5 * len(flags) for one in rows}

    monkeypatch.setattr(cost, "measure", measure)

    def steps(*flags: str) -> dict[str, int]:
        return cost.equal_compute(ROWS, flags, 1000, tmp_path)

    ant, hopper = ("--world", "ant"), ("--world", "hopper", "--n-envs", "8")
    assert steps(*ant) == {"csf": 1000, "wide": 500}
    assert steps(*hopper) == {"csf": 1000, "wide": 1000}
    # The costs of the first flags are still there.
    assert steps(*ant) == {"csf": 1000, "wide": 500}
    assert measured == [ant, hopper]


@pytest.mark.parametrize("content", ["[1]", '"text"', '{"skill-train csf": "1"}', "no JSON"])
def test_a_damaged_file_of_costs_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    def measure(rows: Sequence[Row], flags: Sequence[str]) -> dict[str, float]:
        del flags
        return {one.key: 1.0 for one in rows}

    monkeypatch.setattr(cost, "measure", measure)
    (tmp_path / cost.COSTS).write_text(content)
    assert cost.equal_compute(ROWS, (), 1000, tmp_path) == {"csf": 1000, "wide": 1000}
