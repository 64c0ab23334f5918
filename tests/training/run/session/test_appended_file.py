"""Files of metrics on a full disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from skill_training.run.session.appended_file import AppendedFile

FILL = """
import logging, resource, sys
from pathlib import Path
from skill_training.run.session.appended_file import AppendedFile
logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
file = AppendedFile(Path(sys.argv[1]))
for number in range(5):
    file.write(b"%d 4567\\n" % number)
print("goes on")
if sys.argv[2] == "freed":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
file.close()
"""


@pytest.mark.parametrize("disk", ["freed", "full"])
def test_bytes_wait_for_space(disk: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(path), disk], capture_output=True, text=True, check=True
    )
    assert done.stdout == "goes on\n"
    assert done.stderr.count("cannot write") == 1
    whole = b"".join(b"%d 4567\n" % number for number in range(5))
    assert path.read_bytes() == (whole if disk == "freed" else whole[:10])
    assert ("lacks its last records" in done.stderr) is (disk == "full")


def test_a_file_is_continued(tmp_path: Path) -> None:
    for text in (b"a", b"b"):
        file = AppendedFile(tmp_path / "log")
        file.write(text)
        file.close()
    assert (tmp_path / "log").read_bytes() == b"ab"
