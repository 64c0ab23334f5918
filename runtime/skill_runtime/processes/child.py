"""One child process: its start, its heartbeat, its end."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from skill_proto.shared_memory.memory import create_memory
from skill_runtime.realtime.huge_pages import huge_pages
from skill_runtime.realtime.limits import PARENT, process_state

THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""The children compute with one thread each; the buffers of others would only take memory."""


@dataclass(frozen=True, kw_only=True)
class ChildProgram:
    """How to start a child."""

    name: str
    """In messages, e.g. 'gateway'."""
    module: str
    arguments: tuple[str, ...] = ()
    config: object = None
    """Passed pickled through standard input."""
    descriptors: tuple[int, ...] = ()
    """Descriptors that it inherits."""
    huge_pages: bool = False
    """Whether its memory is to be in huge pages; then it keeps memory that it has freed."""

    def environment(self) -> dict[str, str]:
        """Returns the environment of a child of this process."""
        pages = huge_pages(os.environ) if self.huge_pages else {}
        return {**os.environ, **pages, **THREADS, PARENT: str(os.getpid())}


@dataclass
class Child:
    """A child that has been started."""

    program: ChildProgram
    process: subprocess.Popen[bytes] = field(repr=False)

    @classmethod
    def start(cls, program: ChildProgram, stderr: int) -> Child:
        """Starts a child.

        Args:
            program: The program.
            stderr: Descriptor for its standard error.

        Raises:
            OSError: The system cannot start it.
        """
        # In memory: a pipe could make the parent wait, and a disk may be full.
        with os.fdopen(create_memory(0), "w+b") as config:
            config.write(pickle.dumps(program.config))
            config.seek(0)
            return cls(program, _run(program, config, stderr))

    @classmethod
    def prepare(cls, program: ChildProgram, stderr: int) -> Child:
        """Starts a child that imports its modules, and then waits for :meth:`configure`.

        Args:
            program: The program; its ``config`` is not passed.
            stderr: Descriptor for its standard error.

        Raises:
            OSError: The system cannot start it.
        """
        return cls(program, _run(program, subprocess.PIPE, stderr))

    def configure(self, config: object) -> None:
        """Passes the configuration to a child that waits for it; none to one that has ended."""
        pipe = self.process.stdin
        assert pipe is not None  # made by prepare()
        with suppress(BrokenPipeError), pipe:
            pipe.write(pickle.dumps(config))

    @property
    def ended(self) -> str | None:
        """How it ended, in words; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        if code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"

    def kill(self) -> None:
        """Ends it at once."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()

    @property
    def state(self) -> str:
        """Its state as in proc(5), e.g. 'R' for running and 'T' for stopped; '' if unknown."""
        return process_state(self.process.pid)


def _run(program: ChildProgram, stdin: int | IO[bytes], stderr: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        # -P: a file of the user's folder must not replace a module.
        [sys.executable, "-P", "-m", program.module, *program.arguments],
        stdin=stdin,
        stdout=stderr,
        stderr=stderr,
        pass_fds=program.descriptors,
        env=program.environment(),
    )


def read_config() -> object:
    """Returns the configuration that the parent passes to this process; waits for it."""
    return pickle.load(sys.stdin.buffer)
