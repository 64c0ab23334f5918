"""A server with or without keys, as the benchmark of random messages needs it."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.serving.failures.client_process import NeverHappenedError
from benchmarks.serving.hostile.rig import START_S, Server
from skill_proto.messages import Telemetry
from skill_runtime.client import ClientError, SkillClient
from skill_runtime.security.client_keys import ClientKeys
from skill_runtime.security.config import Client
from skill_runtime.security.keys import AUTHORIZED_KEYS, SERVER_KEY, new_key_pair, write_key_file
from skill_runtime.security.roles import ANY

ATTEMPTS = 4
"""Waits of that length for a state."""

TIMEOUT_S = 30.0
"""Longest wait of a client beside the random messages [s]."""


class KeyedServer(Server):
    """A skill-serve process, and the keys of its clients.

    Args:
        model: Policy file.
        folder: Folder for keys and log.
        keyed: Whether clients need keys.

    Attributes:
        folder: folder of the keys.
        keys: keys of a client with all roles; None without keys.
        observation_size: numbers of an observation of the policy.
    """

    observation_size = 0

    def __init__(self, model: Path, folder: Path, *, keyed: bool) -> None:
        self.keys: ClientKeys | None = None
        self.folder = folder
        options = ["--model", str(model), "--stop-after", "inf"]
        if keyed:
            server, client = new_key_pair(), new_key_pair()
            write_key_file(folder / SERVER_KEY, server)
            write_key_file(folder / "client.key", client)
            (folder / AUTHORIZED_KEYS).write_text(f"{Client(client.public, 'fuzz', ANY)}\n")
            (folder / AUTHORIZED_KEYS).chmod(0o600)
            self.keys = ClientKeys(client.public, client.secret, server.public)
            options += ["--keys", str(folder)]
        command = [sys.executable, "-m", "skill_runtime.cli.serve"]
        super().__init__(command, options, folder / "log")

    def client(self) -> SkillClient:
        """Returns a client with the keys."""
        keyed = self.keys is not None
        return SkillClient(
            self.addresses.commands,
            timeout_s=TIMEOUT_S,
            key=self.folder / "client.key" if keyed else None,
            server_key=self.keys.server if self.keys is not None else None,
        )

    def failures(self) -> list[str]:
        """Returns the lines of the log about processes that failed, and errors of Python."""
        lines = self.log.read_text(errors="replace").replace("\r", "\n").splitlines()
        return [line for line in lines if " failed (" in line or "Error" in line]

    def _wait_until_it_answers(self) -> None:
        ends = time.monotonic() + START_S
        while time.monotonic() < ends and self._popen.poll() is None:
            try:
                with self.client() as client:
                    manifest = client.hello().manifest
            except ClientError:
                time.sleep(0.2)
            else:
                self.observation_size = manifest.observation_size
                return
        text = self.log.read_text(errors="replace")
        raise NeverHappenedError(f"skill-serve did not start:\n{text}")


def newest_state(client: SkillClient) -> Telemetry:
    """Returns the newest state; waits for a gateway that is started again.

    Raises:
        ClientError: No state arrives for a long time.
    """
    for _ in range(ATTEMPTS - 1):
        with suppress(ClientError):
            return client.state()
    return client.state()


def late_and_due(before: Telemetry, after: Telemetry) -> tuple[int, int]:
    """Returns the late or skipped ticks, and all ticks, between two states.

    A tick is late if it began more than half a servo period after its deadline (by the first bound
    of the histogram that is not below 2.5 ms).
    """
    skipped = after.timing.overruns - before.timing.overruns
    late = _late(after) - _late(before)
    return late + skipped, after.tick - before.tick + skipped


def _late(state: Telemetry) -> int:
    bounds, counts = state.timing.wakeup_latency_le_us, state.timing.wakeup_latency_count
    in_time = next((n for n, us in zip(counts, bounds, strict=True) if us >= 2500.0), counts[-1])
    return counts[-1] - in_time
