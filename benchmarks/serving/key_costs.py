"""The price of keys: round trips with and without, a connection, a lookup, a revocation.

    python -m benchmarks.serving.key_costs

Two servers run at the same time, one with keys; requests alternate between them, so that both meet
the same load of the machine. Figures of one run are compared, as ratios.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt
from benchmarks.lib.report import machine, print_table, write_json
from benchmarks.serving.fuzz.served import KeyedServer
from skill_proto.files.atomic_file import replace_text
from skill_runtime.client import SkillClient
from skill_runtime.security.authorized_keys import AuthorizedKeys
from skill_runtime.security.config import Client
from skill_runtime.security.keys import AUTHORIZED_KEYS, new_key_pair
from skill_runtime.security.roles import read_roles


@dataclass(frozen=True, kw_only=True)
class Config:
    """Round trips with and without keys."""

    requests: PositiveInt = 2000
    """Requests to each server."""
    connections: PositiveInt = 50
    """New connections to each server."""
    lookups: PositiveInt = 20_000
    """Lookups of a key."""
    revocations: PositiveInt = 5
    """Revocations of a key that receives telemetry."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file."""
    json: Path | None = None
    """File for the result."""


def main(config: Config) -> None:
    """Measures, and prints a table."""
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        plain, keyed = (
            stack.enter_context(KeyedServer(config.model, folder, keyed=is_keyed))
            for folder, is_keyed in zip(folders, (False, True), strict=True)
        )
        rows = {
            "hello": _round_trips(plain, keyed, config.requests),
            "new connection and hello": _connections(plain, keyed, config.connections),
        }
        lookup_us = _lookup_us(keyed, config.lookups)
        gaps_ms = [_gap_ms(keyed) for _ in range(config.revocations)]
    print_table(
        ("", "without keys p50, p99 [ms]", "with keys p50, p99 [ms]", "ratio p50, p99"),
        [_row(name, *times) for name, times in rows.items()],
    )
    print(f"lookup of a key, with the look at the file: {lookup_us:.1f} us")
    print(f"telemetry pauses for others at a revocation: {_shown(gaps_ms)} ms")
    result = {
        **{name: {"plain_s": a, "keyed_s": b} for name, (a, b) in rows.items()},
        **{"lookup_us": lookup_us, "gaps_ms": gaps_ms, "machine": machine()},
    }
    write_json(config.json, result)


def _round_trips(
    plain: KeyedServer, keyed: KeyedServer, requests: int
) -> tuple[list[float], list[float]]:
    with plain.client() as a, keyed.client() as b:
        return _alternate(requests, a.hello, b.hello)


def _connections(
    plain: KeyedServer, keyed: KeyedServer, connections: int
) -> tuple[list[float], list[float]]:
    return _alternate(connections, lambda: _hello_once(plain), lambda: _hello_once(keyed))


def _hello_once(server: KeyedServer) -> None:
    with server.client() as client:
        client.hello()


def _alternate(
    count: int, first: Callable[[], object], second: Callable[[], object]
) -> tuple[list[float], list[float]]:
    """Returns the durations of two calls that alternate [s]."""
    times: tuple[list[float], list[float]] = ([], [])
    for call in (first, second):  # the first call of each opens its connection
        call()
    for _ in range(count):
        for durations, call in zip(times, (first, second), strict=True):
            began = time.perf_counter()
            call()
            durations.append(time.perf_counter() - began)
    return times


def _lookup_us(server: KeyedServer, lookups: int) -> float:
    keys = AuthorizedKeys(server.folder / AUTHORIZED_KEYS)
    assert server.keys is not None
    began = time.perf_counter()
    for _ in range(lookups):
        keys.get(server.keys.public)
    return 1e6 * (time.perf_counter() - began) / lookups


def _gap_ms(server: KeyedServer) -> float:
    """Returns the longest pause of one subscriber while the key of another is revoked [ms]."""
    assert server.keys is not None
    path, pair = server.folder / AUTHORIZED_KEYS, new_key_pair()
    usual = path.read_text()
    other = server.folder / f"{pair.public[:4].encode().hex()}.key"
    replace_text(path, usual + f"{Client(pair.public, 'other', read_roles('observer'))}\n")
    other.write_text(f"public {pair.public}\nsecret {pair.secret}\n")
    other.chmod(0o600)
    address, server_key = server.addresses.commands, server.keys.server
    with (
        server.client() as client,
        SkillClient(address, timeout_s=20.0, key=other, server_key=server_key) as revoked,
    ):
        revoked.state()
        client.state()
        replace_text(path, usual)
        ends, latest, longest = time.monotonic() + 1.5, time.monotonic(), 0.0
        while time.monotonic() < ends:
            client.state()
            longest, latest = max(longest, time.monotonic() - latest), time.monotonic()
    return 1e3 * longest


def _row(name: str, plain: list[float], keyed: list[float]) -> tuple[str, ...]:
    (a50, a99), (b50, b99) = _percentiles(plain), _percentiles(keyed)
    return (
        name,
        f"{1e3 * a50:.2f}, {1e3 * a99:.2f}",
        f"{1e3 * b50:.2f}, {1e3 * b99:.2f}",
        f"{b50 / a50:.2f}, {b99 / a99:.2f}",
    )


def _percentiles(times: list[float]) -> tuple[float, float]:
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def _shown(values: list[float]) -> str:
    return f"{min(values):.0f} to {max(values):.0f}" if values else "-"


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.serving.key_costs", description=__doc__)
