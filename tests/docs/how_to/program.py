"""A command that runs, and its output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.served import DEADLINE_S

PATIENCE_S = 3 * DEADLINE_S
"""Longest wait for the end of a command [s]; long, since the machine may be busy."""

BIN = Path(sys.executable).parent
"""Folder of the programs of this repository; a user has activated the environment."""


class Program:
    """A command in a shell.

    Args:
        text: The command.
        folder: Working directory.
        output: File for its output and its errors.
        home: The user's home.
    """

    def __init__(self, text: str, folder: Path, output: Path, home: Path) -> None:
        self.text = text
        self._output = output
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("XDG_CONFIG_HOME", "SKILL_KEY", "SKILL_SERVER_KEY")
        }
        with output.open("w") as file:
            # A shell becomes its only simple command, so that signals reach the program.
            self._process = subprocess.Popen(
                ["bash", "-c", text],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment
                | {
                    "PATH": f"{BIN}{os.pathsep}{environment['PATH']}",
                    "HOME": str(home),
                    "OMP_NUM_THREADS": "1",
                    "PYTHONUNBUFFERED": "1",
                },
            )

    @property
    def output(self) -> str:
        """Everything that it has printed."""
        return self._output.read_text(errors="replace")

    def until(self, said: str) -> None:
        """Waits for a part of the output."""
        self._until(lambda: said in self.output, f"it did not say {said!r}")

    def until_file(self, path: Path) -> None:
        """Waits for a file or folder."""
        self._until(path.exists, f"it did not make {path.name}")

    def wait(self) -> int:
        """Waits for the end, and returns the exit code."""
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end: {self.text}\n{self.output}") from None

    def interrupt(self) -> None:
        """Sends what Ctrl-C sends."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """Ends the program as Ctrl-C does; it must end well."""
        try:
            self.interrupt()
            code = self.wait()
        finally:
            self.kill()
        assert code == 0, f"exit code {code}: {self.text}\n{self.output}"
        assert "Traceback" not in self.output, self.output

    def kill(self) -> None:
        """Kills the program if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _until(self, condition: Callable[[], bool], problem: str) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not condition():
            has_ended = self._process.poll() is not None and not condition()
            if has_ended or time.monotonic() > ends:
                raise AssertionError(f"{problem}: {self.text}\n{self.output}")
            time.sleep(0.05)
