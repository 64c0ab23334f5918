"""The web page of a server, as a handle in the process of skill-serve."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress

from skill_runtime.cli.subscribers.web import PARENT
from skill_runtime.cli.subscribers.web_options import PageOptions
from skill_runtime.security.client_keys import ClientKeys
from skill_runtime.transport.addresses import Addresses

END_S = 5.0
"""Longest wait for the end of the process [s]."""


class PageProcess:
    """``skill-web`` for the server of this process.

    Args:
        options: Where the page is.
        addresses: The server's addresses.
        keys: Keys with which it connects; None for a server without keys.
        show: Shows a line of the process's output.
    """

    def __init__(
        self,
        options: PageOptions,
        addresses: Addresses,
        keys: ClientKeys | None,
        show: Callable[[str], None],
    ) -> None:
        self._options = options
        self._addresses = addresses
        self._keys = keys
        self._show = show
        self._key_file = ""
        self._process: subprocess.Popen[str] | None = None
        self._is_ending = False

    def open(self) -> None:
        """Starts the process; its address, or the reason why there is none, is shown later."""
        command = [sys.executable, "-P", "-m", "skill_runtime.cli.subscribers.web"]
        command += ["--address", self._addresses.commands]
        command += ["--telemetry-address", self._addresses.telemetry]
        command += ["--stop-address", self._addresses.stop]
        command += ["--host", self._options.web_host, "--port", str(self._options.web_port)]
        if self._keys is not None:
            self._key_file = _write_keys(self._keys)
            command += ["--key", self._key_file, "--server-key", self._keys.server]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=os.environ | {PARENT: str(os.getpid())},
            )
        except OSError as error:
            self._show(f"--web: the page cannot be started ({error.strerror}); serving continues")
            return
        threading.Thread(target=self._follow, args=(self._process,), daemon=True).start()

    def _follow(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # a pipe
        with process.stdout:
            for line in process.stdout:
                self._show(line.rstrip("\n"))
        code = process.wait()
        if not self._is_ending:
            self._show(f"--web: the page has ended (exit code {code}); serving continues")

    def end(self) -> None:
        """Asks the process to end, which releases its lease; returns at once."""
        self._is_ending = True
        if self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """Ends the process."""
        self.end()
        if self._process is not None:
            try:
                self._process.wait(timeout=END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._key_file:
            with suppress(OSError):  # e.g. a service that cleans the folder was faster
                os.unlink(self._key_file)


def _write_keys(keys: ClientKeys) -> str:
    """Writes the keys to a new file that only this user reads, and returns its path."""
    descriptor, path = tempfile.mkstemp(prefix="skill-web-")
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"public {keys.public}\nsecret {keys.secret}\n")
    return path
