"""A real server with all of its processes, for tests that need the policy service."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.support.served import DEADLINE_S

from skill_runtime.client import ClientError, SkillClient


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
