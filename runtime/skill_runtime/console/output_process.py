"""Output of a real-time program, written by a process of its own.

A thread that writes to a terminal shares the interpreter's lock with a real-time loop, and has a
lower priority. When the machine is busy it may lose its processor while it holds the lock, and the
loop waits for both. So the loop hands its texts to another process through a pipe. The call never
waits: if the pipe is full, the text is lost and counted.

    python -m skill_runtime.console.output_process PROGRAM LOG_LEVEL

runs that other process.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from contextlib import suppress
from select import PIPE_BUF

from skill_runtime.console.logs import LogLevel, logging_to
from skill_runtime.console.program import run_program
from skill_runtime.console.status_line import LiveLine

LONGEST = 1000
"""Longest text that is passed on whole [characters]. A line of the pipe must stay below PIPE_BUF
(4,096 bytes on Linux), because only then it is written whole or not at all (pipe(7))."""

END_S = 3.0
"""Longest time that the end of the program waits for the output [s]."""

LINES_PER_FLUSH = 256
"""Lines after which this process waits until they are written: its own queue drops lines beyond a
thousand, and only the sender counts losses."""

LOG_PERIOD_S = 5.0
"""Time between two status lines if the output is not a terminal [s]."""


class OutputProcess(logging.Handler):
    """Passes texts and log records to the process that writes them; no method waits or raises.

    Args:
        program: Name of the program, in front of each log record.
        level: Least severe log records that are written.
    """

    def __init__(self, program: str, level: LogLevel) -> None:
        super().__init__(getattr(logging, level.upper()))
        self._lost = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, program, level],
            stdin=subprocess.PIPE,
            process_group=0,  # Ctrl-C of a terminal is for the sender, which then ends the output
        )
        assert self._process.stdin is not None
        self._pipe = self._process.stdin.fileno()
        os.set_blocking(self._pipe, False)

    def show(self, text: str) -> None:
        """Replaces the status line."""
        self._put("show", text)

    def say(self, text: str) -> None:
        """Writes permanent lines to standard output."""
        for line in text.split("\n"):
            self._put("say", line)

    def emit(self, record: logging.LogRecord) -> None:
        """Passes on a log record without its traceback."""
        self._put("log", record.getMessage(), record.levelno)

    def end(self) -> None:
        """Waits until everything is written, at most :data:`END_S`, and ends the process.

        A second call has no effect.
        """
        assert self._process.stdin is not None
        if self._process.stdin.closed:
            return
        if self._lost:
            os.set_blocking(self._pipe, True)
            self._put("log", f"{self._lost:,} lines of output were lost", logging.WARNING)
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:  # its reader sleeps
            self._process.kill()
            self._process.wait()

    def _put(self, kind: str, text: str, level: int = 0) -> None:
        line = json.dumps([kind, text[:LONGEST], level]).encode() + b"\n"
        if len(line) > PIPE_BUF:  # characters that JSON escapes
            line = json.dumps([kind, text[: LONGEST // 4], level]).encode() + b"\n"
        try:
            os.write(self._pipe, line[:PIPE_BUF])
        except OSError:  # the pipe is full, or the process is gone
            self._lost += 1


def main() -> None:
    """Writes the texts that arrive on standard input until its end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the sender ends the output
        signal.signal(number, signal.SIG_IGN)
    program, level = sys.argv[1:]
    line = LiveLine(LOG_PERIOD_S)
    log = logging.getLogger("skill_runtime.output")
    kind = ""
    with logging_to(line.above, program, level):  # type: ignore[arg-type]  as OutputProcess got it
        for count, message in enumerate(sys.stdin, start=1):
            if count % LINES_PER_FLUSH == 0:
                line.flush()
            kind, text, severity = json.loads(message)
            if kind == "show":
                line.show(text)
            elif kind == "say":
                line.say(text)
            else:
                log.log(severity, "%s", text)
    if kind == "show":
        line.end()
    line.flush()


if __name__ == "__main__":
    run_program("output", main)
