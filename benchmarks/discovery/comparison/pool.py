"""Evaluations in several processes, which end with this one."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from benchmarks.discovery.comparison.scoring import Job, score
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_runtime.policy import PolicyError, PolicyFileError
from skill_training.sweep.process import end_with_parent

Found = dict[str, float] | str
"""Metrics, or the reason why there are none."""


def run_jobs(jobs: Mapping[Path, Job], processes: int) -> Iterator[tuple[Path, Found]]:
    """Yields the metrics of each evaluation as it ends, or the reason why it has none.

    Args:
        jobs: The evaluations by name.
        processes: Number of processes at a time.
    """
    if processes == 1 or len(jobs) <= 1:
        for name, job in jobs.items():
            yield name, _try(job)
        return
    others = multiprocessing.active_children()
    # Not forked: this process has threads.
    pool = ProcessPoolExecutor(
        min(processes, len(jobs)), multiprocessing.get_context("spawn"), _begin
    )
    try:
        futures = {pool.submit(_try, job): name for name, job in jobs.items()}
        for done in as_completed(futures):
            try:
                yield futures[done], done.result()
            except BrokenProcessPool as error:
                yield futures[done], f"its process died: {error}"
    except BaseException:  # Ctrl-C: the children ignore it, and an evaluation takes minutes.
        for child in multiprocessing.active_children():
            if child not in others:
                child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _try(job: Job) -> Found:
    try:
        return score(job)
    except (PolicyFileError, PolicyError, UnsupportedPolicyError) as error:
        return str(error)


def _begin() -> None:
    """Leaves Ctrl-C to the parent; gets SIGKILL when the parent dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        end_with_parent(signal.SIGKILL)
