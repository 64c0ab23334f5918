"""Files that the benchmarks write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.lib.figures import save
from benchmarks.lib.files import check_outputs, check_suffix
from matplotlib.figure import Figure

from skill_runtime.console.flags import UsageError
from skill_runtime.console.streams import OutputError

RESULT = '{"machine": {"processor": "x"}}'


def _fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_an_output_is_no_folder_and_its_folder_is_made(tmp_path: Path) -> None:
    check_outputs({"--json": tmp_path / "new/folder/result.json"})
    assert (tmp_path / "new/folder").is_dir()
    with pytest.raises(UsageError, match="is a folder; name a file"):
        check_outputs({"--json": tmp_path})
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file is a file, not a folder"):
        check_outputs({"--json": tmp_path / "file/result.json"})


def test_an_output_is_no_input_and_no_other_output(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(RESULT)
    with pytest.raises(UsageError, match=r"--json .* is the file of the input .*x/\.\./result"):
        check_outputs({"--json": path}, [tmp_path / "x/../result.json"])
    with pytest.raises(UsageError, match=r"--out .* is the file of --json"):
        check_outputs({"--json": path, "--out": path})


@pytest.mark.parametrize("text", ["[]", "{}", "no JSON", '{"machine": "m"}', '{"machine": {}}'])
def test_a_json_file_of_another_program_is_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="no result of a benchmark; delete it"):
        check_outputs({"--json": path})


@pytest.mark.parametrize("text", [RESULT, ""])
def test_a_result_and_an_empty_file_may_be_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    check_outputs({"--json": path})


def test_a_file_of_a_run_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run directory"):
        check_outputs({"--json": tmp_path / "config.json"})


def test_a_figure_is_written_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "figure.png"
    save(Figure(), path)
    drawn = path.read_bytes()
    assert drawn.startswith(b"\x89PNG")
    monkeypatch.setattr(os, "fsync", _fail)
    with pytest.raises(OutputError, match="No space left"):
        save(Figure(figsize=(1, 1)), path)
    assert path.read_bytes() == drawn


def test_a_name_without_the_suffix_is_refused() -> None:
    check_suffix(Path("figure.PNG"), (".png",))
    with pytest.raises(UsageError, match=r"figure: its name must end in \.png"):
        check_suffix(Path("figure"), (".png",))
