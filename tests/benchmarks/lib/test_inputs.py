"""What the benchmarks are given, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.lib.inputs import named, open_policy, read_json


def test_names_keep_their_order_and_their_paths() -> None:
    assert named(["told=a,b", "untold=c"], "DIR") == {
        "told": [Path("a"), Path("b")],
        "untold": [Path("c")],
    }


@pytest.mark.parametrize("entry", ["told", "=a", "told=", "told=a,", "told=,a"])
def test_what_is_no_name_with_paths_is_refused(entry: str) -> None:
    with pytest.raises(SystemExit, match="is not NAME=DIR"):
        named([entry], "DIR")


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(SystemExit, match="named twice"):
        named(["a=x", "a=y"], "FILE")


def test_files_that_cannot_be_read_end_the_program_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="cannot read"):
        read_json(tmp_path / "none.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(SystemExit, match="no JSON object"):
        read_json(tmp_path / "list.json")
    with pytest.raises(SystemExit, match="none"):
        open_policy(tmp_path / "none.onnx")
