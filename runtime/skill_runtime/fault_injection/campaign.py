"""Many runs over many seeds, in several processes."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context

from tqdm import tqdm

from skill_runtime.fault_injection.motion_oracle import InvariantError
from skill_runtime.fault_injection.run import FaultRun, RunConfig


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one run."""

    config: RunConfig
    broken: str = ""
    seen: dict[str, int]
    digest: str = ""


def attempt(config: RunConfig) -> Outcome:
    """One run, in a process of its own."""
    logging.disable(logging.CRITICAL)
    world = FaultRun(config)
    try:
        result = world.run()
    except InvariantError as error:
        return Outcome(config=config, broken=str(error), seen=dict(world.judge.seen))
    except Exception as error:  # a fault of the simulation itself must name its seed as well
        return Outcome(config=config, broken=f"crashed: {error!r}", seen=dict(world.judge.seen))
    return Outcome(config=config, seen=dict(result.seen), digest=result.digest)


def split(whole: RunConfig, run_ticks: int) -> Iterator[RunConfig]:
    """Runs of ``run_ticks`` with the seeds from that of ``whole`` on; the last may be shorter."""
    for index, start in enumerate(range(0, whole.ticks, run_ticks)):
        ticks = min(run_ticks, whole.ticks - start)
        yield replace(whole, seed=whole.seed + index, ticks=ticks)


def simulate(configs: Sequence[RunConfig], workers: int) -> Iterator[Outcome]:
    """All runs, over processes, each as it ends; no more after one that breaks something.

    Args:
        configs: what to run.
        workers: processes; 0 takes one for each processor.
    """
    workers = min(workers or os.cpu_count() or 1, len(configs))
    ticks = sum(config.ticks for config in configs)
    with (
        ProcessPoolExecutor(workers, get_context("spawn"), _ignore_interrupts) as pool,
        tqdm(total=ticks, unit="tick", unit_scale=True, disable=None) as bar,
    ):
        futures = [pool.submit(attempt, config) for config in configs]
        try:
            for future in as_completed(futures):
                outcome = future.result()
                bar.update(outcome.config.ticks)
                yield outcome
                if outcome.broken:
                    break
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in active_children():  # what they run is of no use any more
                worker.terminate()


def _ignore_interrupts() -> None:
    """In a worker: Ctrl-C reaches it too, but it is the parent that ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
