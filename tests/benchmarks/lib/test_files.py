"""Files that the benchmarks write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from benchmarks.lib.figures import save
from benchmarks.lib.files import check_folder, check_outputs, replace_bytes
from matplotlib.figure import Figure

RESULT = '{"machine": {"processor": "x"}}'


def _fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_is_replaced_and_its_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a/b/result.json"
    replace_bytes(path, b"old")
    replace_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_on_a_full_disk_the_old_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", _fail)
    with pytest.raises(SystemExit, match=r"result.json: No space left on device; free the disk"):
        replace_bytes(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_target_of_a_link_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    link.symlink_to(target)
    replace_bytes(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_an_output_is_no_folder_and_has_a_folder(tmp_path: Path) -> None:
    check_outputs(tmp_path / "new/folder/result.json")
    with pytest.raises(SystemExit, match="is a folder; name a file in it"):
        check_outputs(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="file is no folder; name another one"):
        check_outputs(tmp_path / "file/result.json")
    with pytest.raises(SystemExit, match="is no folder"):
        check_folder(tmp_path / "file")


def test_an_output_is_no_input_and_no_other_output(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(RESULT)
    with pytest.raises(SystemExit, match="is an input"):
        check_outputs(path, inputs=[tmp_path / "x/../result.json"])
    with pytest.raises(SystemExit, match="two results"):
        check_outputs(path, path)


@pytest.mark.parametrize("text", ["[]", "{}", "no JSON", '{"machine": "m"}', '{"machine": {}}'])
def test_a_json_file_of_another_program_is_kept(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(SystemExit, match="no result of a benchmark; delete it"):
        check_outputs(path)


@pytest.mark.parametrize("text", [RESULT, ""])
def test_a_result_and_an_empty_file_may_be_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    check_outputs(path)


def test_a_file_of_a_run_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="run directory"):
        check_outputs(tmp_path / "config.json")


def test_a_figure_is_written_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new/figure.png"
    save(Figure(), path)
    drawn = path.read_bytes()
    assert drawn.startswith(b"\x89PNG")
    monkeypatch.setattr(os, "fsync", _fail)
    with pytest.raises(SystemExit, match="No space left"):
        save(Figure(figsize=(1, 1)), path)
    assert path.read_bytes() == drawn


def test_a_figure_without_suffix_or_with_a_folder_as_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"figure: its name must end in \.png"):
        save(Figure(), tmp_path / "figure")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SystemExit, match="is a folder"):
        save(Figure(), tmp_path / "folder.png")
