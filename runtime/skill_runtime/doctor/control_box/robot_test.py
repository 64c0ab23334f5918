"""One question to a control box, and the record of its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from skill_robots.control_box.wire.protocol import Protocol
from skill_runtime.doctor.control_box.client import ControlBoxError, RobotClient

Answer = Mapping[str, object]
"""Values that JSON has."""


@dataclass(kw_only=True)
class Bench:
    """The connected robot, for the tests."""

    host: str
    client: RobotClient
    protocol: Protocol
    seconds: float
    """Duration of a measurement of states [s]."""
    facts: dict[str, object] = field(default_factory=dict[str, object])
    """Facts that later tests need, by name."""


@dataclass(frozen=True, kw_only=True)
class RobotTest:
    """A question with the code that asks it."""

    name: str
    question: str
    ask: Callable[[Bench], Answer]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The record of one test."""

    name: str
    question: str
    answer: Answer | None
    """None if the test ended with an error."""
    error: str | None
    seconds: float
    """Duration of the test [s]."""


def run_tests(
    bench: Bench, tests: Sequence[RobotTest], on_entry: Callable[[Entry], object]
) -> list[Entry]:
    """Asks all questions in their order; one that fails does not end the others.

    Args:
        bench: the connected robot.
        tests: the questions.
        on_entry: called with each record.
    """
    entries: list[Entry] = []
    for test in tests:
        began = time.monotonic()
        answer, error = None, None
        try:
            answer = test.ask(bench)
        except ControlBoxError as problem:
            error = str(problem)
        entry = Entry(
            name=test.name,
            question=test.question,
            answer=answer,
            error=error,
            seconds=round(time.monotonic() - began, 3),
        )
        entries.append(entry)
        on_entry(entry)
    return entries
