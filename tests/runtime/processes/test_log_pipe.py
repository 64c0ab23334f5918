"""The log of the children, also if nobody reads it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import psutil
import pytest
from tests.support.served import DEADLINE_S, until

from skill_runtime.processes.log_pipe import MAX_LINE_LENGTH, MAX_RECORD_BYTES, LogPipe

LOG = """
import logging, sys
from skill_runtime.processes.log_pipe import log_to_pipe
log_to_pipe(sys.argv[1])
ours, other = logging.getLogger("skill_runtime.x"), logging.getLogger("library")
"""


class Shown:
    """The lines that a pipe has shown."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pipe = LogPipe(self.lines.append)

    def run(self, code: str, level: str = "info") -> list[str]:
        """Runs a child; returns its lines."""
        command = [sys.executable, "-c", LOG + code, level]
        subprocess.run(command, stderr=self.pipe.writer, timeout=DEADLINE_S, check=True)
        self.pipe.close(DEADLINE_S)
        return self.lines


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.mark.parametrize(
    ("level", "lines"),
    [
        ("debug", ["skill_runtime.x: d", "i", "w", "e", "lw"]),
        ("info", ["i", "w", "e", "lw"]),
        ("warning", ["w", "e", "lw"]),
        ("error", ["e", "lw"]),
    ],
)
def test_records_of_the_level_appear_line_by_line(
    shown: Shown, level: str, lines: list[str]
) -> None:
    code = 'ours.debug("d"); ours.info("i"); ours.warning("w"); ours.error("e")\n'
    assert shown.run(code + 'other.info("li"); other.warning("lw")', level) == lines


def test_text_from_the_wire_stays_on_its_line(shown: Shown) -> None:
    lines = shown.run(r'ours.error("a\nb\x1b[2J \ud83d %s", "\u202e")')
    assert lines == [r"a\nb\x1b[2J \ud83d \u202e"]


def test_a_traceback_is_indented(shown: Shown) -> None:
    first, *rest = shown.run("try:\n    1 / 0\nexcept Exception:\n    ours.exception('broken')")
    assert first == "broken"
    assert all(line.startswith("  | ") for line in rest)
    assert "ZeroDivisionError" in rest[-1]


def test_a_long_record_is_cut_and_the_next_one_has_a_line_of_its_own(shown: Shown) -> None:
    first, second = shown.run("ours.error('%s', '\u20ac' * 1999); ours.error('next')")
    assert first.startswith("\u20ac" * 1000)
    assert len(first.encode()) <= MAX_RECORD_BYTES + 3  # a cut character is replaced
    assert second == "next"


def test_bytes_that_are_no_text_and_lines_without_end_are_shown(shown: Shown) -> None:
    code = f"import os; os.write(2, b'\\xff' + b'x' * {MAX_LINE_LENGTH}); os.write(2, b'y')"
    lines = shown.run(code)
    assert "".join(lines) == "\ufffd" + "x" * MAX_LINE_LENGTH + "y"
    assert max(map(len, lines)) <= MAX_LINE_LENGTH


def test_children_do_not_wait_for_a_parent_that_does_not_read() -> None:
    reader, writer = os.pipe()
    code = "for number in range(20_000):\n    ours.error('%d' % number)\nprint('done')"
    done = subprocess.run(
        [sys.executable, "-c", LOG + code, "info"],
        stdout=subprocess.PIPE,
        stderr=writer,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert done.stdout == "done\n"
    os.close(writer)
    with open(reader, "rb") as lines:
        kept = lines.read().split(b"\n")
    assert kept[:3] == [b"0", b"1", b"2"]
    assert 1000 < len(kept) < 20_000


def test_a_reader_that_hangs_does_not_keep_the_pipe_from_closing() -> None:
    hangs = threading.Event()
    pipe = LogPipe(lambda _: hangs.wait() and None)
    os.write(pipe.writer, b"a line\n")
    pipe.close(timeout_s=0.05)
    hangs.set()


def test_close_shows_the_rest_and_closes_both_ends() -> None:
    lines: list[str] = []
    before = psutil.Process().num_fds()
    pipe = LogPipe(lines.append)
    os.write(pipe.writer, b"first\nwithout an end")
    pipe.close(DEADLINE_S)
    assert lines == ["first", "without an end"]
    until(lambda: psutil.Process().num_fds() <= before)  # others may be collected meanwhile
