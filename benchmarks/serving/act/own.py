"""``skill-serve --service-only`` and PolicyClient."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.serving.act.peer import ONE_THREAD, Call, free_port
from skill_proto.arrays import Float32Array, FloatArray
from skill_runtime.client import ClientError
from skill_runtime.client.policy import PolicyClient

START_S = 60.0
"""Longest wait for the service [s]."""


@dataclass(frozen=True)
class Service:
    """A running service."""

    address: str
    process: subprocess.Popen[bytes]
    keys: dict[str, str] = field(default_factory=dict[str, str])
    """Arguments of a client: its key and the server's."""

    def client(self, timeout_s: float = 10.0) -> PolicyClient:
        """Returns a client of its own."""
        return PolicyClient(self.address, timeout_s=timeout_s, **self.keys)

    def pin(self, cpu: int) -> None:
        """Runs the process that answers on one processor."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            for thread in child.threads():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, {cpu})


@contextmanager
def serving(
    models: Sequence[str], flags: Sequence[str] = (), keys: dict[str, str] | None = None
) -> Generator[Service]:
    """Runs the service until the end of the block.

    Args:
        models: Values of ``--model``.
        flags: Other flags.
        keys: Arguments of a client, if the service has keys.

    Raises:
        SystemExit: It did not start.
    """
    port = free_port()
    command = [sys.executable, "-P", "-c", "from skill_runtime.cli.entry import serve; serve()"]
    given = [flag for model in models for flag in ("--model", model)]
    process = subprocess.Popen(
        [*command, "--service-only", *given, "--port", str(port), *flags],
        stdout=subprocess.DEVNULL,
        env={**os.environ, **ONE_THREAD},
    )
    service = Service(f"tcp://127.0.0.1:{port}", process, keys or {})
    try:
        _await(service)
        yield service
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def _await(service: Service) -> None:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends and service.process.poll() is None:
        with suppress(ClientError), service.client(1.0) as client:
            client.hello()
            return
    raise SystemExit("skill-serve --service-only did not start; see above")


def caller(client: PolicyClient, command: str, model: str, session: str) -> Call:
    """Returns the call of one session.

    Args:
        client: The client.
        command: 'skill' or 'goal'.
        model: Name of the policy.
        session: Name of the session.
    """

    def call(observation: Float32Array, given: Float32Array) -> FloatArray:
        if command == "skill":
            return client.act(observation, session=session, skill=given, model=model)["action"]
        return client.act(observation, session=session, goal=given, model=model)["action"]

    return call


def make_keys(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Makes keys for a service and one client, as an operator would.

    Returns:
        Flags of the service, and arguments of its clients.
    """
    keys = [sys.executable, "-P", "-c", "from skill_runtime.cli.entry import keys; keys()"]
    for words in (["new", "server"], ["new", "client"], ["allow", "client", "service"]):
        command = [*keys, *words, "--folder", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    files = {"key": str(folder / "client.key"), "server_key": str(folder / "server.pub")}
    return ["--keys", str(folder)], files
