"""The log of a program: printable, counted, and harmless."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import warnings
from contextlib import suppress

import pytest
from tests.support.served import DEADLINE_S, until

from skill_runtime.console.logs import LONGEST_MESSAGE, LogLevel, logging_to

log = logging.getLogger("skill_runtime.test")


def test_a_text_from_outside_stays_on_its_line() -> None:
    lines: list[str] = []
    with logging_to(lines.append, "skill-serve"):
        log.warning("stop: %s", "ok\nskill-serve: cleared by operator\x1b[2K\x9b\u202e\u2028")
    assert lines == [
        "skill-serve: stop: ok\\nskill-serve: cleared by operator\\x1b[2K\\x9b\\u202e\\u2028"
    ]


def test_a_traceback_is_readable_and_forges_no_record() -> None:
    lines: list[str] = []
    with logging_to(lines.append, "skill-serve"):
        try:
            raise ValueError("ok\nskill-serve: cleared\x07")
        except ValueError:
            log.exception("internal error")
    first, *trace = lines[0].split("\n")
    assert first == "skill-serve: internal error"
    assert trace[0] == "  | Traceback (most recent call last):"
    assert trace[-2:] == ["  | ValueError: ok", "  | skill-serve: cleared\\x07"]


def test_repeated_records_are_counted_and_none_is_forgotten() -> None:
    lines: list[str] = []
    with logging_to(lines.append, "skill-serve"):
        for _ in range(500):
            log.warning("stop: %s", "again")
    assert lines[0] == "skill-serve: stop: again"
    assert lines[1:] == ["skill-serve: stop: again (repeated 499 times)"]


def test_a_flood_on_one_subject_does_not_hide_another() -> None:
    lines: list[str] = []
    with logging_to(lines.append, "p"):
        for number in range(500):
            for text in (f"stop: {number}", f"the gateway failed (exit code {number % 2})"):
                log.error("%s", text)
        log.error("%s", "fault: no answer")
    assert "p: fault: no answer" in lines
    assert "p: stop: 0" in lines
    assert len(lines) < 40


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["skill_runtime.test: d", "i", "w", "foreign w", "e"]),
        ("info", ["i", "w", "foreign w", "e"]),
        ("warning", ["w", "foreign w", "e"]),
        ("error", ["e"]),
    ],
)
def test_the_level_selects_records(level: LogLevel, written: list[str]) -> None:
    lines: list[str] = []
    foreign = logging.getLogger("a_library")
    with logging_to(lines.append, "p", level):
        log.debug("d")
        log.info("i")
        foreign.info("foreign i")
        log.warning("w")
        foreign.warning("foreign w")
        log.error("e")
    assert lines == [f"p: {text}" for text in written]


def test_everything_is_restored() -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, log.parent.level if log.parent else 0)
    raises = logging.raiseExceptions
    with suppress(RuntimeError), logging_to(lambda _: None, "p", "debug"):
        raise RuntimeError
    assert before == (root.handlers[:], root.level, log.parent.level if log.parent else 0)
    assert logging.raiseExceptions == raises


def test_records_that_cannot_be_formatted_and_long_ones_are_written() -> None:
    lines: list[str] = []
    with logging_to(lines.append, "p"):
        log.warning("%d", "no number")
        log.warning("%s", "x" * 10 * LONGEST_MESSAGE)
    assert lines[0] == "p: %d ('no number',)"
    assert lines[1].endswith(f"x ... ({9 * LONGEST_MESSAGE:,} more characters)")


def test_warnings_of_libraries_are_in_the_log() -> None:
    lines: list[str] = []
    with warnings.catch_warnings(), logging_to(lines.append, "p"):
        warnings.simplefilter("always")
        warnings.warn("overflow\x1b[2J", RuntimeWarning, stacklevel=1)
    assert len(lines) == 1
    assert "RuntimeWarning: overflow\\x1b[2J" in lines[0]


def test_a_count_is_written_without_a_further_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skill_runtime.console.repeats.PERIOD_S", 0.1)
    lines: list[str] = []
    with logging_to(lines.append, ""):
        for _ in range(2):
            log.warning("stop")
        until(lambda: lines == ["stop", "stop (repeated once)"])
        log.warning("stop")
        until(lambda: lines[2:] in (["stop (repeated once)"], ["stop"]))


def test_threads_may_log_at_once() -> None:
    lines: list[str] = []

    def flood() -> None:
        for _ in range(500):
            log.warning("stop")

    with logging_to(lines.append, ""):
        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    counts = [re.sub(r"\D", "", line) or "1" for line in lines[1:]]
    assert sum(map(int, counts)) == 1999


PROGRAM = """
import logging, os, sys, time
from skill_runtime.console.logs import logging_to_stderr
from skill_runtime.console.program import run_program

def main():
    with logging_to_stderr("program", "info"):
        for number in range(20_000):
            logging.getLogger(f"skill_runtime.{number}").warning("%s %d", "x" * 1000, number)
    print("done")

run_program("program", main)
"""


@pytest.mark.parametrize("errors", ["full", "closed", "never read"])
def test_errors_that_nobody_reads_do_not_stop_a_program(errors: str) -> None:
    reader, writer = os.pipe()
    redirect = {"full": "2> /dev/full", "closed": "2>&-", "never read": ""}[errors]
    done = subprocess.run(
        ["/bin/bash", "-c", f'exec "$0" -c "$1" {redirect}', sys.executable, PROGRAM],
        stdout=subprocess.PIPE,
        stderr=writer,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    os.close(reader)
    os.close(writer)
    assert (done.returncode, done.stdout) == (0, "done\n")
