"""Inputs of the benchmarks, and their error messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.lib.inputs import named, open_policy, read_json


def test_names_keep_their_order_and_their_paths() -> None:
    assert list(named(["second=a,b", "first=c"], "DIR").items()) == [
        ("second", [Path("a"), Path("b")]),
        ("first", [Path("c")]),
    ]


@pytest.mark.parametrize("entry", ["name", "=a", "name=", "name=a,", "name=,a"])
def test_an_entry_without_name_or_path_is_refused(entry: str) -> None:
    with pytest.raises(SystemExit, match="is not NAME=DIR"):
        named([entry], "DIR")


def test_a_repeated_name_is_refused() -> None:
    with pytest.raises(SystemExit, match="'a' occurs twice"):
        named(["a=x", "a=y"], "FILE")


def test_an_unreadable_file_ends_the_program_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="cannot read"):
        read_json(tmp_path / "missing.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(SystemExit, match="no JSON object"):
        read_json(tmp_path / "list.json")
    with pytest.raises(SystemExit, match="missing"):
        open_policy(tmp_path / "missing.onnx")
