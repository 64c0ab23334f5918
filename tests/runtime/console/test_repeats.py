"""Repeated log records on a clock of the test."""

from __future__ import annotations

import pytest

from skill_runtime.console.repeats import BURST, KINDS, PERIOD_S, Entry, Repeats


def entry(text: str, line: int = 1) -> Entry:
    return Entry(kind=("server", 30, line), text=text)


@pytest.fixture
def repeats() -> Repeats:
    return Repeats()


def add(repeats: Repeats, text: str, now: float, line: int = 1) -> list[str]:
    return list(repeats.add(entry(text, line), now))


def test_a_record_is_written_once_and_its_repetitions_are_counted(repeats: Repeats) -> None:
    assert add(repeats, "stop: a", 0.0) == ["stop: a"]
    for number in range(1204):
        assert add(repeats, "stop: a", 0.001 * number) == []
    assert repeats.due_in_s(1.5) == PERIOD_S - 1.5
    assert list(repeats.due(PERIOD_S - 0.1)) == []
    assert list(repeats.due(PERIOD_S)) == ["stop: a (repeated 1,204 times)"]
    assert add(repeats, "stop: a", PERIOD_S + 1) == []  # still the same flood
    assert list(repeats.due(2 * PERIOD_S)) == ["stop: a (repeated once)"]
    assert list(repeats.due(3 * PERIOD_S)) == []
    assert repeats.due_in_s(3 * PERIOD_S) is None
    assert add(repeats, "stop: a", 3 * PERIOD_S + 1) == ["stop: a"]


def test_a_record_that_seldom_repeats_is_written_each_time(repeats: Repeats) -> None:
    assert add(repeats, "fault", 0.0) == ["fault"]
    assert add(repeats, "fault", PERIOD_S) == ["fault"]


def test_other_texts_of_one_kind_are_written_up_to_a_number(repeats: Repeats) -> None:
    written = [line for n in range(1000) for line in add(repeats, f"stop: {n}", 0.001 * n)]
    assert written == [f"stop: {n}" for n in range(BURST)]
    assert list(repeats.due(PERIOD_S)) == [
        f"stop: 999 (and {1000 - BURST - 1} similar ones before)"
    ]


def test_a_count_is_written_before_another_text(repeats: Repeats) -> None:
    add(repeats, "stop: a", 0.0)
    add(repeats, "stop: a", 0.0)
    assert add(repeats, "stop: b", 0.0) == ["stop: a (repeated once)", "stop: b"]


def test_kinds_are_apart(repeats: Repeats) -> None:
    add(repeats, "the same", 0.0, line=1)
    assert add(repeats, "the same", 0.0, line=2) == ["the same"]


def test_memory_is_bounded_and_no_count_is_lost(repeats: Repeats) -> None:
    add(repeats, "first", 0.0, line=0)
    add(repeats, "first", 0.0, line=0)
    lines = [line for n in range(1, 10 * KINDS) for line in add(repeats, f"kind {n}", 0.0, line=n)]
    assert "first (repeated once)" in lines
    assert len(repeats._states) == KINDS  # pyright: ignore[reportPrivateUsage]


def test_the_end_writes_the_counts(repeats: Repeats) -> None:
    add(repeats, "fault\n  | traceback", 0.0)
    add(repeats, "fault\n  | traceback", 0.0)
    assert list(repeats.close()) == ["fault (repeated once)"]
    assert list(repeats.close()) == []
