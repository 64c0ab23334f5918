"""A real server with all of its processes, for tests that need the policy service."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from tests.support.served import DEADLINE_S

from skill_runtime.client import ClientError, SkillClient
from skill_runtime.transport.addresses import Addresses

COMMAND = [sys.executable, "-m", "skill_runtime.cli.serve"]
"""Starts skill-serve."""


def free_ports() -> int:
    """Returns the first of three consecutive free ports, below those that the system gives out."""
    while True:
        first = random.randrange(20_000, 32_000)
        try:
            for port in range(first, first + 3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first


@contextmanager
def serving_process(model: Path, *arguments: str) -> Generator[str]:
    """Runs skill-serve until the end of the block; yields the address for commands.

    Args:
        model: The policy file.
        arguments: Further flags.
    """
    port = free_ports()
    address = f"tcp://127.0.0.1:{port}"
    command = [sys.executable, "-m", "skill_runtime.cli.serve", "--model", str(model)]
    process = subprocess.Popen(
        [*command, "--port", str(port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait_until_it_serves(address, process)
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _wait_until_it_serves(address: str, process: subprocess.Popen[str]) -> None:
    ends = time.monotonic() + DEADLINE_S
    with SkillClient(address, timeout_s=1.0) as client:
        while True:
            try:
                client.hello()
            except ClientError:
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < ends, "the server does not answer"
                time.sleep(0.05)
            else:
                return


class Process:
    """A skill-serve process."""

    def __init__(self, *arguments: str, port: int | None = None, **environment: str) -> None:
        self.port = port or free_ports()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.popen = subprocess.Popen(
            [*COMMAND, *arguments, "--port", str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
        )

    def client(self) -> SkillClient:
        return SkillClient(self.address, timeout_s=DEADLINE_S)

    def processes(self) -> dict[str, psutil.Process]:
        """Returns the running processes by their module; the first is ``serve`` itself."""
        found = {"serve": psutil.Process(self.popen.pid)}
        for child in found["serve"].children():
            with contextlib.suppress(psutil.Error):  # it has just ended
                words = child.cmdline()
                if "-m" in words:
                    found[words[words.index("-m") + 1].rpartition(".")[2]] = child
        return found

    def close(self) -> None:
        """Ends the process; output that the test has not read appears in its report."""
        if self.popen.poll() is None:
            self.popen.kill()
        stdout = self.popen.stdout
        if stdout is not None and not stdout.closed:
            print(self.popen.communicate(timeout=DEADLINE_S)[0])

    def wait(self) -> int:
        """Returns the exit code after the process has ended."""
        code = self.popen.wait(DEADLINE_S)
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        return code

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Sends a signal; returns the exit code and all output."""
        self.popen.send_signal(number)
        output, _ = self.popen.communicate(timeout=DEADLINE_S)
        return self.popen.returncode, output


@contextmanager
def process(*arguments: str, port: int | None = None, **environment: str) -> Iterator[Process]:
    running = Process(*arguments, port=port, **environment)
    try:
        yield running
    finally:
        running.close()


def is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def fixed_addresses() -> Addresses:
    """Returns addresses at which one server after another can be started."""
    first = free_ports()
    commands, telemetry, stop = (f"tcp://127.0.0.1:{first + k}" for k in range(3))
    return Addresses(commands=commands, telemetry=telemetry, stop=stop)
