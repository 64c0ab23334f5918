"""Many sessions at a rate, each with a connection of its own, and the share of late answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.serving.act.own import Service
from skill_proto.arrays import Float32Array
from skill_runtime.client.policy import AsyncPolicyClient


@dataclass(frozen=True, kw_only=True)
class Load:
    """Sessions, and how they ask."""

    sessions: int = 64
    rate_hz: float = 50.0
    """Requests of each session [Hz]; an answer is late after one period."""
    duration_s: float = 10.0
    command: str = "skill"
    model: str = ""


@dataclass(frozen=True, kw_only=True)
class Lateness:
    """The answers to one load."""

    requests: int
    late: int
    """Answers that the service sent after the deadline of one period, by its own word."""
    late_at_client: int
    """Answers that arrived after one period."""
    p50_us: float
    p99_us: float
    sent_hz: float
    """Requests per second of all sessions together."""


def run(service: Service, load: Load, observation: Float32Array, command: Float32Array) -> Lateness:
    """Plays a load, and returns its answers.

    Args:
        service: The service.
        load: The load.
        observation: ``(1, O)``.
        command: ``(1, G)``.
    """
    return asyncio.run(_play(service, load, observation, command))


async def _play(
    service: Service, load: Load, observation: Float32Array, command: Float32Array
) -> Lateness:
    clients = [
        AsyncPolicyClient(service.address, timeout_s=10.0, **service.keys)
        for _ in range(load.sessions)
    ]
    for client in clients:
        await client.hello()
    durations: list[float] = []
    start = time.perf_counter() + 0.2
    await asyncio.gather(
        *[
            _robot(client, place, load, observation, command, start, durations)
            for place, client in enumerate(clients)
        ]
    )
    elapsed_s = time.perf_counter() - start
    late = sum(client.round_trips.late for client in clients)
    for client in clients:
        await client.close()
    samples = np.array(durations)
    return Lateness(
        requests=len(samples),
        late=late,
        late_at_client=int((samples > 1.0 / load.rate_hz).sum()),
        p50_us=float(np.quantile(samples, 0.5) * 1e6),
        p99_us=float(np.quantile(samples, 0.99) * 1e6),
        sent_hz=len(samples) / elapsed_s,
    )


async def _robot(
    client: AsyncPolicyClient,
    place: int,
    load: Load,
    observation: Float32Array,
    command: Float32Array,
    start: float,
    durations: list[float],
) -> None:
    """Asks at the rate of the load, from a phase of its own on."""
    period_s = 1.0 / load.rate_hz
    given = {load.command: command}
    due = start + period_s * place / load.sessions
    while due < start + load.duration_s:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sent = time.perf_counter()
        await client.act(
            observation,
            session=f"robot {place}",
            model=load.model,
            deadline_s=period_s,
            skill=given.get("skill"),
            goal=given.get("goal"),
        )
        durations.append(time.perf_counter() - sent)
        due = max(due + period_s, time.perf_counter() - period_s)
