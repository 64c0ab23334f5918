"""One writer per run directory, however the writer ends."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.children import child_process

from skill_training.errors import RunDirectoryError
from skill_training.run.directory import RunDirectory
from skill_training.run.session.lock import FILE_NAME, locked

HOLD = """
import sys
from pathlib import Path
from skill_training.run.session.lock import locked
with locked(Path(sys.argv[1]), "trains"):
    print("holds", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    with child_process(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        named = f"PID {holder.pid} on {socket.gethostname()} trains here"
        with pytest.raises(RunDirectoryError, match=named), locked(tmp_path, "trains"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with locked(tmp_path, "trains"):
        assert f"PID {os.getpid()} on" in (tmp_path / FILE_NAME).read_text()
    assert (tmp_path / FILE_NAME).read_text() == ""


def test_blocks_of_one_directory_are_nested_and_exclude_another_object(tmp_path: Path) -> None:
    mine, other = RunDirectory(tmp_path), RunDirectory(tmp_path)
    with mine.writing():
        with mine.writing("exports a policy"):
            pass
        with pytest.raises(RunDirectoryError, match="trains here"), other.writing():
            pass
    with other.writing(), pytest.raises(RunDirectoryError), mine.writing():
        pass


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path, "trains"):
        raise ZeroDivisionError
    with locked(tmp_path, "trains"):
        pass


def test_a_file_system_without_locks_gives_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path, "trains"):
        assert "has no locks" in caplog.text


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(RunDirectoryError, match="cannot write to"),
        locked(tmp_path / "a", "trains"),
    ):
        pass
