"""Control steps a second: the batched tabletop beside panda-gym, in one run on the same cores.

Both sides take random actions at 25 Hz of simulated time, compute an observation after every step
and start new episodes as they fall due. The tabletop's figure includes inverse kinematics, the
set-point shaper and randomised contexts. A round measures every case once, and the rounds repeat,
so that all cases see the same machine; the best round of each case counts.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

import numpy as np
import tyro

from benchmarks.lib.report import print_table, write_json

Stepper = Callable[[], int]
"""Makes some control steps and returns how many."""

Part = tuple[float, int, float]
"""What one worker measured: steps per second, steps, seconds of processor time."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Control steps a second of the tabletop and of panda-gym."""

    scenes: int = 64
    """Scenes stepped together by the tabletop."""
    seconds: float = 3.0
    """Length of one measurement [s]."""
    rounds: int = 5
    """Measurements of each case."""
    cores: tuple[int, ...] = (1, 2)
    """Numbers of cores to measure on."""
    json: Path | None = None
    """Where to write the result."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to collect: some processes, each with some threads."""

    name: str
    cores: int
    processes: int
    threads: int
    """Physics threads of a process; panda-gym has no choice but one."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What one measurement gave, all processes together."""

    per_second: float
    per_cpu_second: float
    """Steps per second of processor time, which other work on the machine hardly changes."""


def cases(cores: int) -> list[Case]:
    """The ways to use this many cores."""
    both = [
        Case(name="tabletop", cores=cores, processes=cores, threads=1),
        Case(name="panda-gym", cores=cores, processes=cores, threads=1),
    ]
    if cores > 1:
        both.insert(1, Case(name="tabletop", cores=cores, processes=1, threads=cores))
    return both


def tabletop_stepper(scenes: int, threads: int, seed: int) -> Stepper:
    """A control step of every scene, with an observation, and resets when episodes end."""
    from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

    config = TabletopConfig()
    table = Tabletop(config, scenes, seed=seed, threads=threads)
    rng = np.random.default_rng(seed)
    # Episodes end at different times, a few scenes at every step, as in a long collection.
    age = rng.integers(0, config.episode_steps, scenes)

    def step() -> int:
        nonlocal age
        table.step(rng.uniform(-1.0, 1.0, (scenes, 3)))
        table.observe()
        age = age + 1
        done = np.flatnonzero(age == config.episode_steps)
        if done.size:
            table.reset(done)
            age[done] = 0
        return scenes

    return step


def panda_gym_stepper(seed: int) -> Stepper:
    """One step of PandaPush-v3, which observes by itself; resets when episodes end."""
    import gymnasium
    import panda_gym  # registers the environments

    env = gymnasium.make(f"PandaPush-v{panda_gym.__version__.split('.')[0]}")
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)

    def step() -> int:
        _, _, terminated, truncated, _ = env.step(rng.uniform(-1.0, 1.0, 3).astype(np.float32))
        if terminated or truncated:
            env.reset()
        return 1

    return step


def worker(case: Case, config: Config, seed: int, barrier: Barrier, results: Queue[Part]) -> None:
    """Builds one environment, then measures once per round, in step with the other workers."""
    if case.name == "tabletop":
        step = tabletop_stepper(config.scenes, case.threads, seed)
    else:
        step = panda_gym_stepper(seed)
    warm_up_until = time.perf_counter() + 0.5
    while time.perf_counter() < warm_up_until:
        step()
    for _ in range(config.rounds):
        barrier.wait()  # my turn
        count, cpu, start = 0, time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - start) < config.seconds:
            count += step()
        results.put((count / elapsed, count, time.process_time() - cpu))
        barrier.wait()  # done


class Bench:
    """The processes of one case, waiting for their turn."""

    def __init__(self, case: Case, config: Config) -> None:
        context = multiprocessing.get_context("spawn")
        self.case = case
        self._barrier = context.Barrier(case.processes + 1)
        self._patience_s = 120.0 + config.seconds
        self._results: Queue[Part] = context.Queue()
        self._workers = [
            context.Process(
                target=worker, args=(case, config, seed, self._barrier, self._results), daemon=True
            )
            for seed in range(case.processes)
        ]
        for process in self._workers:
            process.start()

    def measure(self) -> Rate:
        """One round of this case."""
        self._barrier.wait(self._patience_s)
        self._barrier.wait(self._patience_s)
        parts = [self._results.get(timeout=10) for _ in self._workers]
        per_second = sum(rate for rate, _, _ in parts)
        cpu = sum(seconds for _, _, seconds in parts)
        return Rate(per_second=per_second, per_cpu_second=sum(count for _, count, _ in parts) / cpu)

    def close(self) -> None:
        """Waits for the processes, which end by themselves after their last round."""
        for process in self._workers:
            process.join(timeout=10)


def measure_all(config: Config) -> dict[Case, list[Rate]]:
    """Every case, round by round."""
    benches = [Bench(case, config) for cores in config.cores for case in cases(cores)]
    rates: dict[Case, list[Rate]] = {bench.case: [] for bench in benches}
    for _ in range(config.rounds):
        for bench in benches:
            rates[bench.case].append(bench.measure())
    for bench in benches:
        bench.close()
    return rates


def summarise(rates: dict[Case, list[Rate]]) -> list[dict[str, object]]:
    """One row per case: best and median rate, and the ratio to panda-gym on the same cores."""
    base = {case.cores: per for case, per in rates.items() if case.name == "panda-gym"}
    rows: list[dict[str, object]] = []
    for case, measured in rates.items():
        best = max(rate.per_second for rate in measured)
        other = max(rate.per_second for rate in base[case.cores])
        cpu = median(rate.per_cpu_second for rate in measured)
        other_cpu = median(rate.per_cpu_second for rate in base[case.cores])
        rows.append(
            {
                "environment": case.name,
                "cores": case.cores,
                "processes": case.processes,
                "threads": case.threads,
                "steps_per_second": best,
                "steps_per_second_median": median(rate.per_second for rate in measured),
                "steps_per_cpu_second": cpu,
                "ratio": best / other,
                "ratio_per_cpu_second": cpu / other_cpu,
            }
        )
    return rows


def main(config: Config) -> None:
    """Measures, prints a table, and writes the result where asked."""
    if importlib.util.find_spec("panda_gym") is None:
        raise SystemExit("panda-gym is not installed; pip install 'skill-serve[bullet]'")
    rows = summarise(measure_all(config))
    headers = ["environment", "cores", "processes x threads", "steps/s best", "median",
               "per CPU s", "x panda-gym", "x per CPU s"]  # fmt: skip
    print_table(
        headers,
        [
            [
                str(row["environment"]),
                str(row["cores"]),
                f"{row['processes']} x {row['threads']}",
                f"{row['steps_per_second']:.0f}",
                f"{row['steps_per_second_median']:.0f}",
                f"{row['steps_per_cpu_second']:.0f}",
                f"{row['ratio']:.1f}",
                f"{row['ratio_per_cpu_second']:.1f}",
            ]
            for row in rows
        ],
    )
    write_json(config.json, {"scenes": config.scenes, "rows": rows})


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
