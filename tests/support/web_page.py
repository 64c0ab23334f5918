"""The page of a running server, for tests and pictures of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from tests.support.served import DEADLINE_S


@contextmanager
def page_of(address: str, *arguments: str) -> Generator[str]:
    """Runs ``skill-web`` until the end of the block; yields the address that opens its page.

    Args:
        address: Server address for commands.
        arguments: Further flags.
    """
    web = [sys.executable, "-m", "skill_runtime.cli.subscribers.web"]
    process = subprocess.Popen(
        [*web, "--address", address, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None  # a pipe
    try:
        words = process.stdout.readline().split()
        assert words[:1] == ["page"], words
        yield words[1]
    finally:
        process.terminate()
        try:
            process.wait(timeout=DEADLINE_S)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
