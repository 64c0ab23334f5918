"""Tables and texts of the benchmarks."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from benchmarks.lib.report import print_table, seed_text, write_json


def test_consecutive_seeds_are_a_range() -> None:
    assert seed_text(range(100, 110)) == "100 to 109"
    assert seed_text((100,)) == "100"
    assert seed_text((100, 101)) == "100, 101"
    assert seed_text((100, 102, 103)) == "100, 102, 103"


def test_columns_of_a_table_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a", "long"], [["wide", "1"]])
    assert capsys.readouterr().out.splitlines() == [
        "| a    | long |",
        "| ---- | ---- |",
        "| wide | 1    |",
    ]


def test_a_result_has_the_machine_it_was_measured_on(tmp_path: Path) -> None:
    write_json(None, {"value": 1})
    write_json(tmp_path / "result.json", {"value": 1})
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["value"] == 1
    assert result["machine"]["cores"] >= 1


def test_a_result_is_json_also_with_nan_and_infinities(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"rows": [(math.nan, 1.5)], "named": {"a": math.inf, "b": -math.inf}})
    result = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert result["rows"] == [[None, 1.5]]
    assert result["named"] == {"a": None, "b": None}
