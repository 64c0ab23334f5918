"""The largest number of robots for which a service is punctual."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial

from benchmarks.serving.load.generator import Played, Task
from benchmarks.serving.load.priority import starts_with

RESOLUTION = 0.06
"""The search ends at two numbers of robots that differ by less than this share."""

GENERATOR = "benchmarks.serving.load.generator"


class GeneratorError(Exception):
    """A process of the generator failed; the text has its last line."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Result of a search."""

    held: Played | None
    """The largest number that held; None if the first one did not."""
    failed: Played | None
    """The smallest number that did not; None if ``most`` robots held."""
    runs: list[Played]


def search(play: Callable[[int], Played], first: int, most: int, attempts: int = 2) -> Found:
    """Doubles the number of robots until the service is late, then bisects.

    Args:
        play: Plays this number of robots.
        first: First number.
        most: Largest number to try.
        attempts: Runs of a number that is late. A number holds if one run does: a pause of the
            machine is no limit of the service.
    """
    held: Played | None = None
    failed: Played | None = None
    runs: list[Played] = []
    robots = first
    while True:
        played = play(robots)
        runs.append(played)
        for _ in range(attempts - 1):
            if not played.holds:
                played = play(robots)
                runs.append(played)
        if played.holds:
            held = played
        else:
            failed = played
        low = held.robots if held else 0
        if failed is None:
            if low >= most:
                return Found(held=held, failed=None, runs=runs)
            robots = min(most, 2 * low)
        elif failed.robots - low <= max(1.0, RESOLUTION * failed.robots):
            return Found(held=held, failed=failed, runs=runs)
        else:
            robots = (low + failed.robots) // 2


def play_in_processes(task: Task, processes: int, nice: int) -> Played:
    """Plays the robots of a task in processes of their own, and joins their records.

    Args:
        task: The task; its robots are divided among the processes.
        processes: Number of processes.
        nice: Their niceness; below 0 it needs root.

    Raises:
        GeneratorError: A process failed.
    """
    share = [
        task.robots // processes + (place < task.robots % processes) for place in range(processes)
    ]
    tasks = [
        replace(task, robots=robots, first=task.first + sum(share[:place]))
        for place, robots in enumerate(share)
        if robots
    ]
    with ThreadPoolExecutor(len(tasks)) as pool:
        return join(list(pool.map(partial(_play, nice), tasks)))


def _play(nice: int, task: Task) -> Played:
    done = subprocess.run(
        [sys.executable, "-m", GENERATOR],
        input=json.dumps(asdict(task)),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=starts_with(nice, task.cpu),
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise GeneratorError(f"the generator failed: {lines[-1] if lines else 'no reason given'}")
    return Played(**json.loads(done.stdout))


def join(parts: Sequence[Played]) -> Played:
    """Joins the records of several processes; percentiles and batches are the worst of them."""
    if len(parts) == 1:
        return parts[0]
    steps = sum(part.steps for part in parts)
    errors: dict[str, int] = {}
    for part in parts:
        for code, count in part.errors.items():
            errors[code] = errors.get(code, 0) + count
    return Played(
        robots=sum(part.robots for part in parts),
        began=sum(part.began for part in parts),
        begin_s=max(part.begin_s for part in parts),
        rate_hz=parts[0].rate_hz,
        steps=steps,
        late_share=sum(part.late_share * part.steps for part in parts) / max(1, steps),
        missed=sum(part.missed for part in parts),
        lost=sum(part.lost for part in parts),
        forgotten=sum(part.forgotten for part in parts),
        errors=errors,
        p50_ms=max(part.p50_ms for part in parts),
        p99_ms=max(part.p99_ms for part in parts),
        p999_ms=max(part.p999_ms for part in parts),
        sent_late_p99_ms=max(part.sent_late_p99_ms for part in parts),
        batch_mean=sum(part.batch_mean for part in parts),
        batch_p99=sum(part.batch_p99 for part in parts),
        request_bytes=max(part.request_bytes for part in parts),
        reply_bytes=max(part.reply_bytes for part in parts),
        service_cpu=max(part.service_cpu for part in parts),
        service_mb=max(part.service_mb for part in parts),
        generator_cpu=max(part.generator_cpu for part in parts),
        load=max(part.load for part in parts),
    )
