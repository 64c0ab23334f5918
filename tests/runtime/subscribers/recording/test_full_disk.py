"""Ends of a recording whose disk is full, or whose next file exists."""

from __future__ import annotations

import os
import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from skill_runtime.console.streams import OutputError
from skill_runtime.subscribers.recording.reader import Recording
from skill_runtime.subscribers.recording.recording_file import TELEMETRY_CHANNEL, RecordingFile
from skill_runtime.subscribers.recording.rotation import RecordingFiles, Rotation


@contextmanager
def largest_file(size: int) -> Generator[None]:
    """Bounds the files of this process; Python ignores the signal, so a write fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def write(files: RecordingFiles, count: int, size: int) -> None:
    """Writes some messages of noise, of this size [bytes]."""
    noise = np.random.default_rng(0)
    for number in range(count):
        files.write(TELEMETRY_CHANNEL, noise.bytes(size), number, number, number)


def test_a_close_that_fails_leaves_a_file_that_can_be_abandoned(tmp_path: Path) -> None:
    before = open_files()
    files = RecordingFiles(tmp_path / "run.mcap")
    write(files, 20, 16_000)  # 17 of them are a chunk
    with largest_file(files.size + 1000), pytest.raises(OutputError, match="File too large"):
        files.close()
    files.abandon()
    assert files.size == files.paths[0].stat().st_size
    assert len(list(Recording(files.paths).messages())) == 17
    assert open_files() == before


def test_a_next_file_that_exists_ends_the_recording(tmp_path: Path) -> None:
    (tmp_path / "run-002.mcap").write_bytes(b"other")
    files = RecordingFiles(tmp_path / "run.mcap", Rotation(size_mb=1.0))
    with pytest.raises(OutputError, match=r"run-002\.mcap: it exists"):
        write(files, 100, 30_000)
    files.abandon()
    assert files.size == (tmp_path / "run-001.mcap").stat().st_size
    assert (tmp_path / "run-002.mcap").read_bytes() == b"other"


def test_a_disk_without_space_for_the_header_is_named(tmp_path: Path) -> None:
    before = open_files()
    with largest_file(4), pytest.raises(OutputError, match="File too large"):
        RecordingFile(tmp_path / "run.mcap")
    assert open_files() == before
