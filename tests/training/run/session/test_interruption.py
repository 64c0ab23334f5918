"""Signals that end a session: noted between rounds, at once in work that can be repeated."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from skill_training.run.session.interruption import NAMES, Interruption

NUMBERS = [signal.Signals[name] for name in NAMES]


@pytest.fixture(autouse=True)
def default_handlers() -> Iterator[None]:
    """Gives every signal its default handler, as in a new process."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    for number in NUMBERS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted(number: signal.Signals) -> None:
    with Interruption.caught() as interruption:
        assert not interruption.asked()
        os.kill(os.getpid(), number)
        assert interruption.asked()
        assert interruption.signal is number
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)


def test_the_first_signal_counts_and_a_second_ctrl_c_ends_at_once() -> None:
    with Interruption.caught() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGXCPU)  # comes every second beyond the limit
        os.kill(os.getpid(), signal.SIGXCPU)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert interruption.signal is signal.SIGTERM


def test_ignored_signals_and_foreign_handlers_are_kept() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    signal.signal(signal.SIGUSR1, lambda number, _frame: seen.append(number))
    with Interruption.caught() as interruption:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert not interruption.asked()
    assert seen == [signal.SIGUSR1]


def test_work_that_can_be_repeated_ends_at_once() -> None:
    with Interruption.caught() as interruption:
        with pytest.raises(Interruption) as caught, interruption.at_once():
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught.value is interruption
        assert interruption.signal is signal.SIGTERM
        with pytest.raises(Interruption), interruption.at_once():
            pytest.fail("the block began after the signal")
        os.kill(os.getpid(), signal.SIGTERM)  # outside of the block it is only noted


def test_another_thread_catches_no_signal() -> None:
    before = signal.getsignal(signal.SIGTERM)
    asked: list[bool] = []

    def work() -> None:
        with Interruption.caught() as interruption:
            asked.append(interruption.asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert asked == [False]
    assert signal.getsignal(signal.SIGTERM) is before
