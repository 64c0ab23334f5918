"""What is asked of the system for the loop's thread, and for no other."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from skill_runtime.realtime.cpus import allowed
from skill_runtime.realtime.scheduling import (
    MEMORY,
    PROCESSOR,
    SCHEDULING,
    configure_thread,
    pin_thread,
)

T = TypeVar("T")

needs_affinity = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system keeps no thread on a processor"
)


def in_a_thread(work: Callable[[], T]) -> T:
    """The result of ``work``; what the system granted it ends with its thread."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def test_no_answer_and_no_processor_without_a_request() -> None:
    before = allowed()
    assert in_a_thread(configure_thread) == []
    assert in_a_thread(lambda: (configure_thread(), allowed())[1]) == before


@pytest.mark.skipif(sys.platform != "linux", reason="timer slack is Linux's")
def test_a_precise_timer_is_of_the_thread_that_asked() -> None:
    def slack_ns() -> int:
        return ctypes.CDLL(None).prctl(30, 0, 0, 0, 0)  # PR_GET_TIMERSLACK

    before = slack_ns()
    assert in_a_thread(lambda: (configure_thread(), slack_ns())[1]) == 1
    assert slack_ns() == before


@needs_affinity
def test_a_pin_is_of_one_thread() -> None:
    before = allowed()
    last = before[-1]
    answer, there = in_a_thread(lambda: (pin_thread(last), allowed()))
    assert answer.granted
    assert str(answer).startswith(f"processor: {last}, ")
    assert there == [last]
    assert allowed() == before
    assert in_a_thread(allowed) == before


@needs_affinity
def test_a_processor_that_cannot_be_had_is_put_into_words() -> None:
    before = allowed()
    answer, there = in_a_thread(lambda: (pin_thread(1023), allowed()))
    assert there == before
    assert (answer.what, answer.granted) == (PROCESSOR, False)
    assert "1023 refused (Invalid argument)" in str(answer)
    assert "this process may use" in str(answer)


def test_a_system_without_pins_is_put_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    answer = pin_thread(0)
    assert not answer.granted
    assert "cannot keep a thread on one" in str(answer)


def test_a_refused_scheduling_class_says_what_grants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    answers = {
        answer.what: answer for answer in in_a_thread(lambda: configure_thread(realtime=True))
    }
    assert list(answers) == [SCHEDULING, MEMORY]
    assert not answers[SCHEDULING].granted
    assert "refused (Operation not permitted)" in str(answers[SCHEDULING])
    assert "rtprio 80" in str(answers[SCHEDULING])


@needs_affinity
def test_what_the_loop_starts_is_not_of_its_scheduling_class() -> None:
    def classes() -> tuple[bool, int, int]:
        granted = configure_thread(realtime=True)[0].granted
        return granted, os.sched_getscheduler(0), in_a_thread(lambda: os.sched_getscheduler(0))

    granted, ours, started = in_a_thread(classes)
    if not granted:
        pytest.skip("this system grants no SCHED_FIFO")
    assert ours & os.SCHED_FIFO
    assert started == os.SCHED_OTHER
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
