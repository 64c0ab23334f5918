"""Result files: checked before a computation, written after it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from skill_runtime.console.flags import UsageError
from skill_runtime.console.output_file import check_distinct, check_writable, write_json
from skill_runtime.console.streams import OutputError


def test_a_missing_folder_is_created(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "result.json"
    check_writable(path)
    write_json(path, {"score": 1.0, "none": None})
    assert json.loads(path.read_text()) == {"score": 1.0, "none": None}


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder; name a file"):
        check_writable(tmp_path)


def test_an_empty_path_is_named() -> None:
    with pytest.raises(UsageError, match=r"--json is empty, or '\.', which is a folder"):
        check_writable(Path(), "--json")


@pytest.mark.parametrize("below", ["result.json", "deeper/result.json"])
def test_a_file_is_no_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write .*/file is a file, not a folder; name"):
        check_writable(tmp_path / "file" / below)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*/file/result.json: Not a dir"):
        write_json(tmp_path / "file" / "result.json", {})
    with pytest.raises(OutputError, match="cannot write /dev/full: No space left on device; free"):
        write_json(Path("/dev/full"), {})


LIMITED = """
import resource, sys
from pathlib import Path
from skill_runtime.console.output_file import write_json
from skill_runtime.console.streams import OutputError
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    write_json(Path(sys.argv[1]), {"scores": list(range(1000))})
except OutputError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_earlier_result(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"score": 1.0})
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.startswith(f"cannot write {path}: File too large; ")
    assert json.loads(path.read_text()) == {"score": 1.0}
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "file.json")
    write_json(tmp_path / "link.json", {"score": 1.0})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "file.json").read_text()) == {"score": 1.0}


def test_the_folder_of_a_links_target_is_created(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "missing" / "file.json")
    check_writable(link)
    assert (tmp_path / "missing").is_dir()


def test_a_folder_that_was_deleted_during_the_work_is_created_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "result.json"
    check_writable(path)
    path.parent.rmdir()
    write_json(path, {"score": 1.0})
    assert json.loads(path.read_text()) == {"score": 1.0}


def test_a_link_to_another_folder_needs_no_place_in_its_own(tmp_path: Path) -> None:
    """The new file begins beside its target: only there can it be renamed on every disk."""
    (tmp_path / "other").mkdir()
    link = tmp_path / "own" / "link.json"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "other" / "file.json")
    before = link.parent.stat().st_mtime_ns
    write_json(link, {"score": 1.0})
    assert link.parent.stat().st_mtime_ns == before
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["file.json"]


@pytest.mark.parametrize("name", ["read.json", "new/../read.json", "link.json", "hard.json"])
def test_a_result_replaces_no_file_that_is_read(tmp_path: Path, name: str) -> None:
    read = tmp_path / "read.json"
    read.write_text("")
    (tmp_path / "link.json").symlink_to(read)
    (tmp_path / "hard.json").hardlink_to(read)
    path = tmp_path / name
    with pytest.raises(UsageError, match=f"--json {path} is the file of --model; name another"):
        check_distinct({"--json": path}, {"--model": read})
    check_distinct({"--json": tmp_path / "other.json"}, {"--model": read})


def test_two_results_are_two_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    check_distinct({"--plot": one, "--video": other}, {})
    with pytest.raises(UsageError, match=r"--video .*one\.png is the file of --plot"):
        check_distinct({"--plot": one, "--video": one}, {})
