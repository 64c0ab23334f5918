"""Scheduling requests affect the loop's thread and no other."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from skill_runtime.realtime.cpus import allowed_cpus
from skill_runtime.realtime.scheduling import (
    LOCKED_MEMORY,
    NICE,
    PROCESSOR,
    SCHEDULING,
    configure_thread,
    pin_thread,
)

T = TypeVar("T")

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a thread"
)


def in_a_thread(work: Callable[[], T]) -> T:
    """Runs ``work`` in a new thread, so that the grants of the system end with it."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def test_without_a_request_there_is_no_grant_and_no_pin() -> None:
    before = allowed_cpus()
    assert in_a_thread(configure_thread) == []
    assert in_a_thread(lambda: (configure_thread(), allowed_cpus())[1]) == before


@pytest.mark.skipif(sys.platform != "linux", reason="timer slack is Linux's")
def test_the_timer_slack_is_set_for_the_calling_thread_only() -> None:
    def slack_ns() -> int:
        return ctypes.CDLL(None).prctl(30, 0, 0, 0, 0)  # PR_GET_TIMERSLACK

    before = slack_ns()
    assert in_a_thread(lambda: (configure_thread(), slack_ns())[1]) == 1
    assert slack_ns() == before


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)  # that of the calling thread, on Linux


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has its own niceness on Linux only")
def test_the_loop_comes_before_ordinary_threads_if_linux_grants_it() -> None:
    before = niceness()
    own, of_others = in_a_thread(
        lambda: (configure_thread(), (niceness(), in_a_thread(niceness)))[1]
    )
    assert own in (before, NICE)
    if os.geteuid() == 0:
        assert own == min(before, NICE)
    assert of_others == max(own, 0)  # threads that the loop starts
    assert niceness() == before


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="gives up root's rights")
def test_without_the_permission_the_loop_is_an_ordinary_thread_with_a_short_slice() -> None:
    program = f"""
import os, pathlib
from skill_runtime.realtime.scheduling import configure_thread
os.setuid(65534)
configure_thread()
assert os.getpriority(os.PRIO_PROCESS, 0) == {niceness()}
assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER
assert os.sched_getscheduler(0) & os.SCHED_RESET_ON_FORK  # set in the same request as the slice
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


@needs_affinity
def test_a_pin_affects_one_thread_only() -> None:
    before = allowed_cpus()
    last = before[-1]
    grant, pinned_to = in_a_thread(lambda: (pin_thread(last), allowed_cpus()))
    assert grant.granted
    assert str(grant).startswith(f"processor: {last}, ")
    assert pinned_to == [last]
    assert allowed_cpus() == before
    assert in_a_thread(allowed_cpus) == before


@needs_affinity
def test_a_refused_processor_is_explained() -> None:
    before = allowed_cpus()
    grant, pinned_to = in_a_thread(lambda: (pin_thread(1023), allowed_cpus()))
    assert pinned_to == before
    assert (grant.request, grant.granted) == (PROCESSOR, False)
    assert "1023 refused (Invalid argument)" in str(grant)
    assert "this process may use" in str(grant)


def test_a_system_without_pins_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    grant = pin_thread(0)
    assert not grant.granted
    assert "cannot pin a thread" in str(grant)


def test_a_refused_scheduling_class_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    grants = {
        grant.request: grant for grant in in_a_thread(lambda: configure_thread(realtime=True))
    }
    assert list(grants) == [SCHEDULING, LOCKED_MEMORY]
    assert not grants[SCHEDULING].granted
    assert "refused (Operation not permitted)" in str(grants[SCHEDULING])
    assert "rtprio 80" in str(grants[SCHEDULING])


@needs_affinity
def test_threads_of_the_loop_get_ordinary_scheduling() -> None:
    def classes() -> tuple[bool, int, int]:
        granted = configure_thread(realtime=True)[0].granted
        return granted, os.sched_getscheduler(0), in_a_thread(lambda: os.sched_getscheduler(0))

    granted, ours, started = in_a_thread(classes)
    if not granted:
        pytest.skip("this system grants no SCHED_FIFO")
    assert ours & os.SCHED_FIFO
    assert started == os.SCHED_OTHER
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
