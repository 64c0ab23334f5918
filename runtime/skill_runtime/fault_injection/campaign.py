"""Many runs over many seeds, in several processes."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import active_children, get_context, parent_process

from tqdm import tqdm

from skill_runtime.fault_injection.oracles.motion import InvariantError
from skill_runtime.fault_injection.run import FaultRun, RunConfig


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Outcome of one run."""

    config: RunConfig
    broken: str = ""
    """The broken invariant, in words; empty without one."""
    counts: dict[str, int]
    """Number of events by name."""
    digest: str = ""
    """See ``RunResult.digest``."""


def attempt(config: RunConfig) -> Outcome:
    """Executes one run in the calling process."""
    logging.disable(logging.CRITICAL)
    run = FaultRun(config)
    try:
        result = run.run()
    except InvariantError as error:
        return Outcome(config=config, broken=str(error), counts=dict(run.oracle.counts))
    except Exception as error:  # an error of the simulation itself must name its seed as well
        return Outcome(config=config, broken=f"crashed: {error!r}", counts=dict(run.oracle.counts))
    return Outcome(config=config, counts=dict(result.counts), digest=result.digest)


def split(whole: RunConfig, run_ticks: int) -> Iterator[RunConfig]:
    """Splits a run into runs of ``run_ticks`` with consecutive seeds; the last may be shorter."""
    for index, start in enumerate(range(0, whole.ticks, run_ticks)):
        ticks = min(run_ticks, whole.ticks - start)
        yield replace(whole, seed=whole.seed + index, ticks=ticks)


def simulate(configs: Sequence[RunConfig], workers: int) -> Iterator[Outcome]:
    """Executes runs in several processes and yields each outcome as the run ends.

    The first broken invariant ends the campaign.

    Args:
        configs: the runs.
        workers: number of processes; 0 takes one for each CPU.
    """
    workers = min(workers or os.cpu_count() or 1, len(configs))
    ticks = sum(config.ticks for config in configs)
    with (
        ProcessPoolExecutor(workers, get_context("spawn"), _start_worker) as pool,
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
            for worker in active_children():  # their results are not needed any more
                worker.terminate()


def _start_worker() -> None:
    """Ignores Ctrl-C in a worker, which also receives it; the worker ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers, and they would go on for minutes."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
