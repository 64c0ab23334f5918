"""Processes of ``skill-train`` without the seconds that importing torch takes.

A server process imports the training program once. For each run it forks itself, before it computes
anything, and the child calls the entry point as the installed command does.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

DEADLINE_S = 200.0

PR_SET_PDEATHSIG = 1
"""prctl(2): signal to a process whose parent ends."""


class Training:
    """One process of ``skill-train``."""

    def __init__(self, server: TrainingServer, pid: int, output: Path) -> None:
        self._server = server
        self._output = output
        self._status: int | None = None
        self.pid = pid

    @property
    def output(self) -> str:
        """Standard output and error so far."""
        return self._output.read_text() if self._output.is_file() else ""

    def poll(self) -> int | None:
        """The exit status, -n after signal n, None while the process runs."""
        if self._status is None:
            self._status = self._server.ask(poll=self.pid)
        return self._status

    def wait(self) -> int:
        """Waits for the end, and returns the exit status."""
        self.until(lambda: self.poll() is not None)
        assert self._status is not None
        return self._status

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        assert self.poll() is None, self.output
        os.kill(self.pid, number)

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits until ``condition()``; fails after a long time, with the output."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def until_file(self, path: Path) -> None:
        """Waits for a file that the process writes while it runs."""
        self.until(lambda: path.is_file() or self.poll() is not None)
        assert path.is_file(), self.output

    def end(self) -> None:
        """Kills the process, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


class TrainingServer:
    """The process that forks. Use :meth:`start` for a training."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.training.forked"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(
        self,
        *arguments: str,
        cwd: Path,
        output: str | None = None,
        file_limit: int | None = None,
        ignored: Sequence[signal.Signals] = (),
    ) -> Training:
        """Starts ``skill-train`` with ``arguments``.

        Args:
            arguments: Words of the command line.
            cwd: Working directory.
            output: File for standard output and error. Default: one that :attr:`Training.output`
                reads.
            file_limit: Largest size of a file [B], as a stand-in for a full disk.
            ignored: Signals that the process ignores, as under ``nohup``.
        """
        number = len(list(cwd.glob("output-*")))
        target = cwd / f"output-{number}"
        target.touch()
        pid = self.ask(
            arguments=arguments,
            cwd=str(cwd),
            output=output or str(target),
            file_limit=file_limit,
            ignored=[int(each) for each in ignored],
        )
        return Training(self, pid, target)

    def ask(self, **request: object) -> Any:  # noqa: ANN401  # JSON
        """Sends one request and returns the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(DEADLINE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _serve() -> None:
    # Imported before the first fork, and never used in this process.
    for name in ("onnxscript", "torch.onnx", "torch._dynamo", "skill_training.cli"):
        import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                _become(request)
        print(json.dumps(answer), flush=True)


def _become(request: dict[str, Any]) -> NoReturn:
    """Turns this child of the server into a process of ``skill-train``."""
    from skill_training.entry import main

    # A test run that is killed leaves no training behind.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is signal.SIG_IGN and number != signal.SIGPIPE:
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.chdir(request["cwd"])
    target = os.open(request["output"], os.O_WRONLY | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, descriptor in ((null, 0), (target, 1), (target, 2)):
        os.dup2(source, descriptor)
    if request["file_limit"] is not None:
        limits = (request["file_limit"], resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    sys.argv = ["skill-train", *request["arguments"]]
    status = 1
    try:
        main()
    except SystemExit as exit_:
        status = int(exit_.code or 0)
    except BaseException:
        traceback.print_exc()
    with suppress(OSError, ValueError):  # a full disk, a closed stream
        sys.stdout.flush()
    # A library has a thread in the server, for which the end of the interpreter would wait.
    os._exit(status)


if __name__ == "__main__":
    _serve()
