"""How many control steps per second does the batched tabletop make, compared with panda-gym?

    python -m benchmarks.skills.collection

Both environments take random actions at 25 Hz of simulated time, compute an observation after each
step and reset each episode at its end. The tabletop also computes inverse kinematics, the set-point
shaper and randomised contexts. A round measures each case once, so that all cases share the same
conditions of the machine. The best round of each case counts.
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

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Counts, PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from skill_runtime.console.flags import UsageError

Stepper = Callable[[], int]
"""Makes some control steps and returns their number."""

Part = tuple[float, int, float]
"""Measurement of one worker: steps per second, steps, processor time [s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Control steps per second of the tabletop and of panda-gym."""

    scenes: PositiveInt = 64
    """Scenes in one batch of the tabletop."""
    seconds: PositiveFloat = 3.0
    """Length of one measurement [s]."""
    rounds: PositiveInt = 5
    """Measurements of each case."""
    cores: Counts = (1, 2)
    """Numbers of cores."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to use the cores: a number of processes, each with a number of threads."""

    name: str
    cores: int
    processes: int
    threads: int
    """Physics threads of each process; panda-gym supports one only."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Result of one measurement over all processes."""

    per_second: float
    per_cpu_second: float
    """Steps per second of processor time; other load on the machine has little effect on it."""


def cases(cores: int) -> list[Case]:
    """Returns the cases for a number of cores."""
    both = [
        Case(name="tabletop", cores=cores, processes=cores, threads=1),
        Case(name="panda-gym", cores=cores, processes=cores, threads=1),
    ]
    if cores > 1:
        both.insert(1, Case(name="tabletop", cores=cores, processes=1, threads=cores))
    return both


def tabletop_stepper(scenes: int, threads: int, seed: int) -> Stepper:
    """Returns a stepper of the tabletop: one control step of each scene, with resets."""
    from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

    config = TabletopConfig()
    table = Tabletop(config, scenes, seed=seed, threads=threads)
    rng = np.random.default_rng(seed)
    # Episodes end at different times, a few in each step, as in a long collection.
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
    """Returns a stepper of PandaPush-v3, whose step includes the observation, with resets."""
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
    """Builds one environment, then measures once per round, together with the other workers."""
    if case.name == "tabletop":
        step = tabletop_stepper(config.scenes, case.threads, seed)
    else:
        step = panda_gym_stepper(seed)
    warm_up_until = time.perf_counter() + 0.5
    while time.perf_counter() < warm_up_until:
        step()
    for _ in range(config.rounds):
        barrier.wait()  # begin of the round
        count, cpu, start = 0, time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - start) < config.seconds:
            count += step()
        results.put((count / elapsed, count, time.process_time() - cpu))
        barrier.wait()  # end of the round


class Bench:
    """The processes of one case; they wait until the case is measured."""

    def __init__(self, case: Case, config: Config) -> None:
        context = multiprocessing.get_context("spawn")
        self.case = case
        self._barrier = context.Barrier(case.processes + 1)
        self._timeout_s = 120.0 + config.seconds
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
        """Measures one round of this case."""
        self._barrier.wait(self._timeout_s)
        self._barrier.wait(self._timeout_s)
        parts = [self._results.get(timeout=10) for _ in self._workers]
        per_second = sum(rate for rate, _, _ in parts)
        cpu = sum(seconds for _, _, seconds in parts)
        return Rate(per_second=per_second, per_cpu_second=sum(count for _, count, _ in parts) / cpu)

    def close(self) -> None:
        """Waits for the processes, which end after their last round."""
        for process in self._workers:
            process.join(timeout=10)


def measure_all(config: Config) -> dict[Case, list[Rate]]:
    """Measures all cases, round by round."""
    benches = [Bench(case, config) for cores in config.cores for case in cases(cores)]
    rates: dict[Case, list[Rate]] = {bench.case: [] for bench in benches}
    for _ in range(config.rounds):
        for bench in benches:
            rates[bench.case].append(bench.measure())
    for bench in benches:
        bench.close()
    return rates


def summarise(rates: dict[Case, list[Rate]]) -> list[dict[str, object]]:
    """Returns one row per case: best and median rate, and the ratios to panda-gym.

    Each ratio compares cases with the same number of cores.
    """
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
    """Measures, prints the table and writes the result."""
    if importlib.util.find_spec("panda_gym") is None:
        raise UsageError("panda-gym is not installed; run: pip install 'skill-serve[bullet]'")
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
    run_program(main, Config, prog="python -m benchmarks.skills.collection", description=__doc__)
