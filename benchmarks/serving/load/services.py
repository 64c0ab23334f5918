"""Policy services in processes of their own, on one processor."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.serving.load.priority import starts_with
from skill_runtime.client import ClientError
from skill_runtime.client.policy import PolicyClient

START_S = 60.0
"""Longest wait for the start of a service [s]."""

END_S = 10.0
"""Longest wait for its end [s]."""

COMMAND = "import sys; from skill_runtime.cli.entry import serve; sys.exit(serve())"
"""Runs ``skill-serve`` of this source tree."""


class ServiceError(Exception):
    """A service did not start; the text has its output."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Files of keys, for services with CURVE."""

    folder: Path
    """Folder of the services."""
    client: Path
    """Key pair of the clients."""
    server: Path
    """Public key of the services."""


@contextmanager
def make_keys() -> Generator[Keys]:
    """Makes the keys of services and of one client in a temporary folder, with ``skill-keys``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = "import sys; from skill_runtime.cli.entry import keys; sys.exit(keys())"
        for arguments in (
            ("new", "server"),
            ("new", "client"),
            ("allow", "client", "service", str(folder / "client.key")),
        ):
            command = [sys.executable, "-c", program, *arguments, "--folder", name]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ServiceError(f"skill-keys {arguments[0]} failed: {done.stderr.strip()}")
        yield Keys(folder=folder, client=folder / "client.key", server=folder / "server.pub")


class Service:
    """One ``skill-serve --service-only``.

    Args:
        model: The policy file.
        port: Port of the service; None takes a free one.
        keys: Its keys, or None.
        cpu: The processor of all of its threads; None takes any.
        nice: Its niceness; below 0 it needs root.
    """

    def __init__(
        self,
        model: Path,
        *,
        port: int | None = None,
        keys: Keys | None = None,
        cpu: int | None = None,
        nice: int = 0,
    ) -> None:
        self.model, self.port, self.keys = model, port or _free_port(), keys
        self.address = f"tcp://127.0.0.1:{self.port}"
        command = [sys.executable, "-c", COMMAND, "--service-only", "--model", str(model)]
        command += ["--port", str(self.port)]
        if keys is not None:
            command += ["--keys", str(keys.folder)]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self.popen = subprocess.Popen(
            command,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            preexec_fn=starts_with(nice, cpu),
        )

    def wait_until_it_answers(self) -> None:
        """Waits for the first reply to ``hello``.

        Raises:
            ServiceError: The service has ended, or does not answer in time.
        """
        ends = time.monotonic() + START_S
        while time.monotonic() < ends and self.popen.poll() is None:
            with contextlib.suppress(ClientError), self.client(timeout_s=1.0) as client:
                client.hello()
                return
            time.sleep(0.05)
        self._log.seek(0)
        raise ServiceError(f"the service did not start:\n{self._log.read().decode()}")

    def client(self, timeout_s: float) -> PolicyClient:
        """Returns a client of this service."""
        keys = self.keys
        if keys is None:
            return PolicyClient(self.address, timeout_s=timeout_s)
        return PolicyClient(
            self.address, timeout_s=timeout_s, key=keys.client, server_key=keys.server
        )

    def kill(self) -> None:
        """Kills all processes of the service at once, as the loss of its machine does."""
        for one in [*psutil.Process(self.popen.pid).children(recursive=True), self.popen]:
            one.kill()
        self.popen.wait(END_S)

    def close(self) -> None:
        """Ends the service."""
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(END_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()


@contextmanager
def serving(
    model: Path, count: int, *, keys: Keys | None, cpu: int | None, nice: int
) -> Generator[Sequence[Service]]:
    """Runs services of one model until the end of the block.

    Raises:
        ServiceError: One does not start.
    """
    with ExitStack() as stack:
        services: list[Service] = []
        for _ in range(count):
            services.append(Service(model, keys=keys, cpu=cpu, nice=nice))
            stack.callback(services[-1].close)
        for service in services:
            service.wait_until_it_answers()
        yield services


def _free_port() -> int:
    """Returns a free port below those that the system gives to connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
