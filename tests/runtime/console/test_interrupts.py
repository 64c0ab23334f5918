"""The handler of SIGINT while a program starts; test_entry.py has whole programs."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from skill_runtime.console import interrupts


@pytest.fixture
def restored() -> Iterator[None]:
    """Restores the handler of SIGINT."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("restored")
def test_an_ignored_interrupt_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts.end_at_interrupt()
    interrupts.raise_at_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.usefixtures("restored")
def test_an_interrupt_raises_again_after_the_start() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupts.end_at_interrupt()
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    interrupts.raise_at_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
