"""A peer: a server in a process of its own, and the client with which the benchmark calls it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from skill_proto.arrays import Float32Array, FloatArray

READY = "ready"
"""Line that a server prints when it answers."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

Call = Callable[[Float32Array, Float32Array], FloatArray]
"""Sends one observation ``(n, O)`` and one command ``(n, G)``, and returns the actions."""


@dataclass
class Peer:
    """One way to serve a policy."""

    name: str
    call: Call


def free_port() -> int:
    """Returns a TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server(
    module: str, arguments: Sequence[str], environment: dict[str, str] | None = None
) -> Generator[None]:
    """Runs a module as a server until the end of the block.

    Raises:
        SystemExit: It ended before it was ready.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONE_THREAD, **(environment or {})},
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != READY:
            raise SystemExit(f"{module} did not start; see above")
        yield
    finally:
        process.kill()
        process.wait()


def announce() -> None:
    """Prints that this server answers."""
    print(READY, flush=True)
