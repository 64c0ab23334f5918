"""Waking a process that waits, by an eventfd and by a pipe."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest
from tests.support.children import sharing
from tests.support.served import DEADLINE_S

from skill_proto.shared_memory.memory import create_memory
from skill_runtime.channel.wakeup import Wakeup


@pytest.fixture(params=["eventfd", "pipe"])
def wakeup(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wakeup]:
    if request.param == "pipe":
        monkeypatch.delattr(os, "eventfd", raising=False)
    elif not hasattr(os, "eventfd"):
        pytest.skip("this system has no eventfd")
    wakeup = Wakeup.create()
    assert (wakeup.reader == wakeup.writer) == (request.param == "eventfd")
    yield wakeup
    wakeup.close()


def is_awake(wakeup: Wakeup, seconds: float = 0.0) -> bool:
    return bool(select.select([wakeup.reader], [], [], seconds)[0])


def test_it_sleeps_until_it_is_woken_and_after_it_is_cleared(wakeup: Wakeup) -> None:
    assert not is_awake(wakeup)
    wakeup.wake()
    assert is_awake(wakeup)
    assert is_awake(wakeup)
    wakeup.clear()
    assert not is_awake(wakeup)
    wakeup.clear()
    wakeup.wake()
    assert is_awake(wakeup)


@pytest.mark.parametrize("times", [2, 512, 513, 100_000])
def test_one_clear_is_enough_for_any_number_of_calls(wakeup: Wakeup, times: int) -> None:
    """A pipe has 64 KiB, or 8,192 calls; further ones must not block."""
    for _ in range(times):
        wakeup.wake()
    wakeup.clear()
    assert not is_awake(wakeup)


def test_its_descriptors_are_not_inherited_unless_asked(wakeup: Wakeup) -> None:
    assert not any(map(os.get_inheritable, wakeup))


WAKER = """
from skill_runtime.channel.wakeup import Wakeup
Wakeup(*map(int, sys.argv[2:])).wake()
"""


def test_another_process_wakes_this_one(wakeup: Wakeup) -> None:
    memory = create_memory(4096)
    with sharing(WAKER, memory, *wakeup):
        assert is_awake(wakeup, DEADLINE_S)
    os.close(memory)


def test_close_closes_both_ends() -> None:
    wakeup = Wakeup.create()
    wakeup.close()
    for descriptor in wakeup:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
