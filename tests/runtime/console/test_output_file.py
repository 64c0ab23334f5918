"""Result files: checked before a computation, written after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skill_runtime.console.flags import UsageError
from skill_runtime.console.output_file import check_writable, write_json


def test_a_missing_folder_is_created(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "result.json"
    check_writable(path)
    write_json(path, {"score": 1.0, "none": None})
    assert json.loads(path.read_text()) == {"score": 1.0, "none": None}


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder; name a file"):
        check_writable(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        check_writable(tmp_path / "file" / "result.json")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*missing"):
        write_json(tmp_path / "missing" / "result.json", {})
