"""Result files: checked before a computation, written after it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from skill_runtime.console.flags import UsageError
from skill_runtime.console.output_file import check_writable, write_json
from skill_runtime.console.streams import OutputError


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
    with pytest.raises(OutputError, match=r"cannot write .*missing"):
        write_json(tmp_path / "missing" / "result.json", {})
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
