"""A process of the generator: plays robots, and writes one JSON object.

``python -m benchmarks.serving.load.generator`` reads its task as JSON from its input. Beside the
record of its robots it measures the processor time of itself and of the services.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import psutil

from benchmarks.serving.load.fleet import Fleet, Record
from skill_proto.messages import ServiceWelcome
from skill_runtime.client.policy import PolicyClient
from skill_runtime.client.sharding import address_of
from skill_runtime.security.client_keys import client_keys

BEGIN_S = 30.0
"""Longest wait for the first replies to all robots [s]."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run of the generator."""

    addresses: list[str]
    pids: list[int]
    """Process IDs of the services."""
    robots: int
    rate_hz: float
    seconds: float
    seed: int = 0
    first: int = 0
    """Number of the first robot."""
    cpu: int | None = None
    """Processor of the generator."""
    key: str | None = None
    server_key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Played:
    """Result of one run; times in milliseconds."""

    robots: int
    began: int
    """Robots whose first request was answered."""
    begin_s: float
    """Time until then: connections, handshakes, keys, and the first request of each robot [s]."""
    rate_hz: float
    steps: int
    late_share: float
    """Share of the steps without a reply within the period."""
    missed: int
    lost: int
    forgotten: int
    errors: dict[str, int]
    p50_ms: float
    p99_ms: float
    p999_ms: float
    sent_late_p99_ms: float
    """Lateness of the requests themselves."""
    batch_mean: float
    """Mean number of requests that shared an inference."""
    batch_p99: float
    request_bytes: int
    """Length of a request, header and arrays together."""
    reply_bytes: int
    service_cpu: float
    """Processors that the services used."""
    service_mb: float
    """Resident memory of all processes of the services [MB]."""
    generator_cpu: float
    load: float
    """Load average of the machine over the last minute."""

    @property
    def holds(self) -> bool:
        """Whether the service is punctual for this number of robots."""
        period_ms = 1000.0 / self.rate_hz
        return self.began == self.robots and self.p99_ms < period_ms and self.late_share < 0.01

    @property
    def generator_is_busy(self) -> bool:
        """Whether the generator, not the service, may have made answers late."""
        return self.sent_late_p99_ms > 100.0 / self.rate_hz or self.generator_cpu > 0.9

    @property
    def us_per_request(self) -> float:
        """Processor time of the services for one request [us]."""
        return 1e6 * self.service_cpu / max(1.0, self.robots * self.rate_hz)


def play(task: Task) -> Played:
    """Plays the robots of a task."""
    names = [f"robot {task.first + place}" for place in range(task.robots)]
    homes = [address_of(name, task.addresses) for name in names]
    keys = client_keys(task.addresses[0], task.key, task.server_key)
    fleet = Fleet(
        homes, first=task.first, rate_hz=task.rate_hz, seed=task.seed + task.first, keys=keys
    )
    welcomes = {address: _hello(address, task) for address in task.addresses}
    model = welcomes[task.addresses[0]].models[0]
    fleet.prepare(model.manifest, [welcomes[home].instance for home in homes], model.name)
    try:
        start = time.perf_counter()
        began = fleet.begin(BEGIN_S)
        begin_s = time.perf_counter() - start
        services = [psutil.Process(pid) for pid in task.pids]
        start, used, own = time.perf_counter(), _cpu_s(services), time.process_time()
        record = fleet.play(task.seconds)
        wall = time.perf_counter() - start
        return _summary(
            task,
            began,
            record,
            begin_s=begin_s,
            service_mb=_memory_mb(services),
            service_cpu=(_cpu_s(services) - used) / wall,
            generator_cpu=(time.process_time() - own) / wall,
        )
    finally:
        fleet.close()


def _hello(address: str, task: Task) -> ServiceWelcome:
    with PolicyClient(
        address, timeout_s=BEGIN_S, key=task.key, server_key=task.server_key
    ) as client:
        return client.hello()


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    """Returns the processor time of processes and of their children [s]."""
    total = 0.0
    for process in processes:
        for one in (process, *process.children(recursive=True)):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def _memory_mb(processes: Sequence[psutil.Process]) -> float:
    """Returns the resident memory of processes and of their children [MB]."""
    trees = [one for process in processes for one in (process, *process.children(recursive=True))]
    return sum(one.memory_info().rss for one in trees) / 1e6


def _summary(
    task: Task,
    began: int,
    record: Record,
    *,
    begin_s: float,
    service_cpu: float,
    service_mb: float,
    generator_cpu: float,
) -> Played:
    round_trips = 1e3 * np.array(record.round_trips or [np.inf])
    batches = np.array(list(record.inferences.values()) or [0])
    late = int(np.sum(round_trips > 1e3 / task.rate_hz)) + record.missed + record.lost
    late += sum(record.errors.values())
    p50, p99, p999 = np.percentile(round_trips, [50, 99, 99.9]).tolist()
    return Played(
        robots=task.robots,
        began=began,
        begin_s=begin_s,
        rate_hz=task.rate_hz,
        steps=record.steps,
        late_share=late / max(1, record.steps),
        missed=record.missed,
        lost=record.lost,
        forgotten=record.forgotten,
        errors=dict(record.errors),
        p50_ms=p50,
        p99_ms=p99,
        p999_ms=p999,
        sent_late_p99_ms=1e3 * float(np.percentile(record.delays or [0.0], 99)),
        batch_mean=float(batches.mean()),
        batch_p99=float(np.percentile(batches, 99)),
        request_bytes=record.request_bytes,
        reply_bytes=record.reply_bytes,
        service_cpu=service_cpu,
        service_mb=service_mb,
        generator_cpu=generator_cpu,
        load=os.getloadavg()[0],
    )


def main() -> None:
    """Plays the task of the standard input."""
    print(json.dumps(asdict(play(Task(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
