"""The status line without a terminal and on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from tests.support.children import child_process
from tests.support.served import DEADLINE_S

from skill_runtime.console.status_line import LiveLine, cut


def test_without_a_terminal_lines_are_logged_at_a_period(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = LiveLine(log_period_s=60.0)
    line.say("a banner\nof two lines")
    for text in ("first", "second"):
        line.show(text)
    line.above("a warning")
    line.end()
    assert capsys.readouterr() == ("a banner\nof two lines\nfirst\n", "a warning\n")


def test_no_text_can_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    line = LiveLine(log_period_s=0.0)
    for write in (line.show, line.say, line.above):
        write("stop: \x1b[2J\x9b\u202e\r")
    line.end()
    escaped = "stop: \\x1b[2J\\x9b\\u202e\\r\n"
    assert capsys.readouterr() == (2 * escaped, escaped)


def test_a_status_of_two_lines_becomes_one(capsys: pytest.CaptureFixture[str]) -> None:
    line = LiveLine(log_period_s=0.0)
    line.show("one\ntwo")
    line.end()
    assert capsys.readouterr().out == "one\\ntwo\n"


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "abc"),
        ("\u5b57\u5b57\u5b57", 5, "\u5b57\u5b57"),
        ("\U0001f600\U0001f600", 4, "\U0001f600\U0001f600"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301e\u0301"),
        ("abc", 0, ""),
    ],
)
def test_a_text_is_cut_to_columns_of_the_terminal(text: str, columns: int, shown: str) -> None:
    assert cut(text, columns) == shown


PROGRAM = """
import sys
from skill_runtime.console.status_line import LiveLine
line = LiveLine()
line.say("banner")
line.flush(60)
for number in range(3):
    line.show(f"status {number} " + "x" * 1000)
    line.flush(60)
line.above("a warning")
line.flush(60)
line.show("last")
line.end()
line.say("final")
line.flush(60)
sys.stdin.readline()
"""


def test_on_a_terminal_lines_stand_above_the_status() -> None:
    ours, theirs = pty.openpty()
    with child_process(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=theirs, stderr=theirs
    ) as running:
        output = b""
        while b"final\r\n" not in output:
            output += os.read(ours, 4096)
        running.communicate(b"\n", timeout=DEADLINE_S)
    os.close(theirs)
    os.close(ours)
    _, *texts = output.decode().split("\r\x1b[K")
    assert texts[0] == "banner\r\n"
    assert [text.split(" x")[0] for text in texts[1:4]] == ["status 0", "status 1", "status 2"]
    assert all(len(text) == 79 for text in texts[1:4])
    assert texts[4:] == ["a warning\r\n", "last\r\n", "final\r\n"]


STOPPED = """
import os, sys, time
from skill_runtime.console.status_line import LiveLine
line = LiveLine(log_period_s=0.0)
for number in range(2000):
    line.show("status " + "x" * 70)
    line.above("log " + "x" * 1000)
    line.say("text " + "x" * 1000)
line.end()
"""


def test_a_terminal_that_nobody_reads_does_not_stop_a_program() -> None:
    ours, theirs = pty.openpty()
    started = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        assert started.wait(DEADLINE_S) == 0
    finally:
        started.kill()
        os.close(ours)
