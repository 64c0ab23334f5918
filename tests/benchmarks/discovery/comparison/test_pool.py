"""The pool of evaluations ends with its program."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from pathlib import Path

import pytest
from benchmarks.discovery.comparison.pool import run_jobs
from benchmarks.discovery.comparison.scoring import Extent, Job

from skill_robots.worlds.registry import default_config


def test_an_interrupt_ends_the_children_at_once() -> None:
    job = Job(policy=None, world=default_config("ant"), seed=0, extent=Extent(skills=5000, goals=0))
    before = multiprocessing.active_children()
    # To the main thread: only its wait is interrupted.
    main = threading.main_thread().ident
    timer = threading.Timer(3.0, signal.pthread_kill, [main, signal.SIGINT])
    started = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        list(run_jobs({Path("a"): job, Path("b"): job}, 2))
    assert multiprocessing.active_children() == before
    assert time.monotonic() - started < 60.0
