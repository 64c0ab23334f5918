"""A writer never blocks and never fails, on real pipes and files."""

from __future__ import annotations

import math
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.served import DEADLINE_S, until

from skill_runtime.console.writer import Writer


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe; the test may close its ends."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


def read_until(descriptor: int, end: str) -> str:
    """Reads a pipe until the text ends with ``end``."""
    text = ""
    while not text.endswith(end):
        data = os.read(descriptor, 65536)
        assert data, text
        text += data.decode()
    return text


def test_lines_are_written_in_order(pipe: tuple[int, int]) -> None:
    with os.fdopen(pipe[1], "w", closefd=False) as stream:
        writer = Writer(stream)
        for number in range(100):
            writer.line(f"line {number}")
        assert writer.flush(DEADLINE_S)
        assert read_until(pipe[0], "line 99\n").splitlines() == [f"line {n}" for n in range(100)]


def test_a_reader_that_sleeps_blocks_nobody_and_losses_are_counted(pipe: tuple[int, int]) -> None:
    with os.fdopen(pipe[1], "w", closefd=False) as stream:
        writer = Writer(stream, waiting=100)  # more than the pipe takes, 64 KiB
        for number in range(3000):  # a call that waited for the reader would never return
            writer.line(f"{number} " + "x" * 1000)
        assert not writer.flush(0.05)
        text = ""
        while not text.endswith("late\n"):  # the reader wakes up
            text += os.read(pipe[0], 65536).decode()
            if not select.select([pipe[0]], [], [], 0)[0] and writer.flush(0.01):
                writer.line("late")
    lines = text.splitlines()
    kept = [int(line.split()[0]) for line in lines if line.endswith("x")]
    reports = [line for line in lines if line.startswith("(")]
    assert kept == sorted(kept)
    assert 100 <= len(kept) < 250
    assert all(
        line.endswith(" lines were lost: the output was not read in time)") for line in reports
    )
    lost = sum(int(line[1:].split()[0].replace(",", "")) for line in reports)
    assert len(kept) + lost == 3000


def test_only_the_newest_of_transient_texts_waits(pipe: tuple[int, int]) -> None:
    with os.fdopen(pipe[1], "w", closefd=False) as stream:
        writer = Writer(stream)
        writer.line("x" * 16_000)
        for _ in range(10):
            writer.line("x" * 16_000)  # fills the pipe
        for number in range(10_000):
            writer.show(f"<{number}>")
        writer.line("end")
        text = read_until(pipe[0], "end\n")
    assert text.replace("x", "").strip() == "<9999>end"


def test_a_pipe_without_a_reader_is_no_error(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    with os.fdopen(pipe[1], "w", closefd=False) as stream:
        writer = Writer(stream)
        for _ in range(10):
            writer.line("lost")
            assert writer.flush(DEADLINE_S)


def test_another_file_with_the_number_of_a_closed_stream_gets_no_output(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        writer = Writer(stream)
        number = stream.fileno()
    with (tmp_path / "other").open("w") as other:
        assert other.fileno() == number
        writer.line("a line")
        assert writer.flush(DEADLINE_S)
    assert (tmp_path / "other").read_text() == ""


def test_the_end_of_a_program_writes_all_lines() -> None:
    program = (
        "import sys; from skill_runtime.console.writer import Writer\n"
        "writer = Writer(sys.stdout)\n"
        "for _ in range(500): writer.line('x')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=DEADLINE_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, 500 * b"x\n", b"")


def test_ctrl_c_while_the_thread_starts_loses_no_line(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    start = threading.Thread.start
    before = [thread.name for thread in threading.enumerate()].count("output")

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    with os.fdopen(writer, "w", closefd=False) as stream:
        output = Writer(stream)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", interrupted)
            with pytest.raises(KeyboardInterrupt):
                output.line("first")
        output.line("second")
        assert output.flush(DEADLINE_S)
        assert read_until(reader, "second\n") == "first\nsecond\n"
        # The second of two threads ends as soon as it runs.
        until(lambda: [each.name for each in threading.enumerate()].count("output") <= before + 1)


def test_a_closed_stream_is_no_error(tmp_path: Path) -> None:
    stream = (tmp_path / "file").open("w")
    writer = Writer(stream)
    stream.close()
    writer.line("lost")
    assert writer.flush(DEADLINE_S)
    discards = Writer(None)
    discards.line("lost")
    assert discards.flush(DEADLINE_S)


FULL = """
import resource, sys
from skill_runtime.console.writer import Writer

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

writer = Writer(sys.stdout)
limit(16)
for number in range(4):
    writer.line(f"line {number} is here")
    assert writer.flush(60)
limit(resource.RLIM_INFINITY)
writer.line("there is space again")
assert writer.flush(60)
"""


def test_when_the_disk_has_space_again_the_losses_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        done = subprocess.run(
            [sys.executable, "-c", FULL],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text().splitlines() == [
        "line 0 is here",
        "l",
        "(3 lines were lost: File too large)",
        "there is space again",
    ]


def test_a_reader_is_waited_for_only_once(pipe: tuple[int, int]) -> None:
    with os.fdopen(pipe[1], "w", closefd=False) as stream:
        writer = Writer(stream)
        for _ in range(20):
            writer.line("x" * 10_000)
        assert not writer.flush(0.05)
        assert not writer.flush(math.inf)  # without a wait: Python refuses an endless one
        assert len(read_until(pipe[0], 20 * ("x" * 10_000 + "\n"))) == 20 * 10_001
        assert writer.flush(DEADLINE_S)


def test_the_end_of_a_program_waits_for_no_reader(pipe: tuple[int, int]) -> None:
    program = (
        "import sys; from skill_runtime.console.writer import Writer\n"
        "writer = Writer(sys.stdout)\n"
        "for _ in range(100): writer.line('x' * 10_000)\n"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program], stdout=pipe[1], stderr=subprocess.PIPE, text=True
    )
    _, errors = started.communicate(timeout=DEADLINE_S)
    assert (started.returncode, errors) == (0, "")
