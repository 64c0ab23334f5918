"""Random messages on every socket of a server: does anything crash, leak, or make a tick late?

    python -m benchmarks.serving.fuzz --messages 1000000
    python -m benchmarks.serving.fuzz --messages 1000000 --keys --seconds 600

A process of its own sends to the sockets for commands (``act`` included), stop and telemetry, as
fast as the server replies, and opens connections with damaged handshakes. Segments with random
messages alternate with a control, in which the same process sends valid, harmless messages at the
same rate. A tick is late if it begins more than half a servo period after its deadline, or is
skipped. A run that ``--seconds`` ends can be continued with ``--seed`` of another number. The exit
code is 1 if a process has ended or has been started again.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt, Seed
from benchmarks.lib.report import machine, print_table, write_json
from benchmarks.serving.fuzz.sender import Counts
from benchmarks.serving.fuzz.served import KeyedServer, late_and_due, newest_state
from skill_proto.messages import Telemetry
from skill_runtime.client import SkillClient

FUZZ_S, CONTROL_S = 20.0, 5.0
"""Length of a segment with random messages, and of one with harmless messages [s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Random messages on every socket of a server."""

    messages: PositiveInt = 1_000_000
    """Messages on each of the sockets for commands, stop and telemetry."""
    seconds: PositiveFloat = 3600.0
    """The run ends after this time at the latest [s]."""
    keys: bool = False
    """Serve with keys; the sender has a key with all roles."""
    seed: Seed = 0
    """Seed of the messages."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    json: Path | None = None
    """File for the result."""


@dataclass
class Totals:
    """Sums over the segments of one kind."""

    counts: Counts = field(default_factory=Counts)
    late: int = 0
    due: int = 0
    seconds: float = 0.0

    def add(self, counts: Counts, before: Telemetry, after: Telemetry, seconds: float) -> None:
        """Adds a segment."""
        for name, value in vars(counts).items():
            setattr(self.counts, name, getattr(self.counts, name) + value)
        late, due = late_and_due(before, after)
        self.late, self.due = self.late + late, self.due + due
        self.seconds += seconds

    @property
    def late_per_thousand(self) -> float:
        """Late and skipped ticks in 1,000."""
        return 1000.0 * self.late / max(self.due, 1)


class Campaign:
    """One run.

    Args:
        config: The run.
        server: The server.
    """

    def __init__(self, config: Config, server: KeyedServer) -> None:
        self._config, self._server = config, server
        self.fuzz, self.control = Totals(), Totals()
        self._sender = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.fuzz.sender"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        keys = server.keys
        words = None if keys is None else [keys.public, keys.secret, keys.server]
        self._ask({"addresses": list(server.addresses), "keys": words, "seed": config.seed})

    def _ask(self, line: dict[str, Any]) -> None:
        assert self._sender.stdin is not None
        self._sender.stdin.write(json.dumps(line) + "\n")
        self._sender.stdin.flush()

    def run(self) -> None:
        """Runs segments until all messages are sent or the time is over."""
        ends, left = time.monotonic() + self._config.seconds, self._config.messages
        with self._server.client() as client:
            while left > 0 and time.monotonic() < ends and self._server.alive:
                seconds = min(FUZZ_S, ends - time.monotonic())
                self._segment(client, self.control, CONTROL_S, harmless=True)
                self._segment(client, self.fuzz, seconds, harmless=False)
                sent = self.fuzz.counts
                done = min(sent.commands, sent.stop, sent.telemetry)
                left = self._config.messages - done
                print(
                    f"{sent.commands:,} commands, {sent.stop:,} stops, {sent.telemetry:,} "
                    f"subscriptions, {sent.replies:,} replies, {sent.reopened} reconnections",
                    flush=True,
                )

    def _segment(
        self, client: SkillClient, totals: Totals, seconds: float, *, harmless: bool
    ) -> None:
        sent = vars(self.fuzz.counts)
        limits = {
            kind: sys.maxsize if harmless else self._config.messages - sent[kind]
            for kind in ("commands", "stop", "telemetry")
        }
        before, began = newest_state(client), time.monotonic()
        self._ask({"limits": limits, "seconds": seconds, "harmless": harmless})
        assert self._sender.stdout is not None
        counts = Counts(**json.loads(self._sender.stdout.readline()))
        totals.add(counts, before, newest_state(client), time.monotonic() - began)

    def close(self) -> None:
        """Ends the sender."""
        self._sender.kill()
        self._sender.communicate()


def main(config: Config) -> None:
    """Runs the campaign, and prints its result."""
    with (
        tempfile.TemporaryDirectory() as folder,
        KeyedServer(config.model, Path(folder), keyed=config.keys) as server,
    ):
        with server.client() as client:
            client.act([[0.0] * server.observation_size], session="warm", skill=[[1.0, 0.0]])
        memory, processes = server.memory(), server.processes()
        campaign = Campaign(config, server)
        try:
            campaign.run()
        finally:
            campaign.close()
        with server.client() as client:
            counters = newest_state(client).counters
        after = server.memory()
        failures = server.failures()
        ended = [role for role, one in processes.items() if server.processes().get(role) != one]
    fuzz, control = campaign.fuzz, campaign.control
    print_table(
        ("", "commands", "stop", "telemetry", "handshakes", "replies", "s", "late of 1,000 ticks"),
        [
            (
                *(name, f"{one.counts.commands:,}", f"{one.counts.stop:,}"),
                *(f"{one.counts.telemetry:,}", f"{one.counts.streams:,}"),
                *(f"{one.counts.replies:,}", f"{one.seconds:.0f}"),
                f"{one.late_per_thousand:.2f} ({one.late} of {one.due})",
            )
            for name, one in (("random", fuzz), ("control", control))
        ],
    )
    growth: dict[str, float] = {}
    for role in memory.keys() & after.keys():
        growth[role] = after[role].rss - memory[role].rss
        print(f"{role}: {memory[role].rss:.0f} MB, grown by {growth[role]:.1f} MB")
    restarts = {name: n for name, n in counters.items() if name.startswith("restarts.")}
    print(f"processes that ended: {', '.join(ended) or 'none'}; restarts {restarts or 'none'}")
    for line in failures:
        print(line)
    result = {
        **{"keys": config.keys, "random": vars(fuzz.counts), "control": vars(control.counts)},
        **{"late_per_thousand": fuzz.late_per_thousand, "growth_mb": growth},
        **{
            "control_late_per_thousand": control.late_per_thousand,
            "ended": ended,
            "failures": failures,
        },
        "machine": machine(),
    }
    write_json(config.json, result)
    sys.exit(1 if ended or restarts else 0)


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.serving.fuzz", description=__doc__)
