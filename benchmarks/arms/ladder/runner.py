"""Runs the episodes that a journal lacks, and repeats those during which the box lost time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.arms.box_process import MAX_SLIP_S
from benchmarks.arms.episodes import Rung, run_episode
from benchmarks.arms.ladder.journal import Journal
from benchmarks.arms.ladder.record import Record
from benchmarks.arms.ladder.settings import Entry, start_seed, steps_of
from skill_proto.arrays import Array
from skill_runtime.control.arm_controller import ArmController

ATTEMPTS = 5
"""Attempts at one episode in one run; a later run tries again."""

EXPECTED_S = {"mujoco": 1.0, "bullet": 1.0, "fer": 10.0, "fr3": 10.0}
"""Expected duration of an episode before the first one was measured [s]."""


class TimeUpError(Exception):
    """The time of the run is over."""


@dataclass
class Pace:
    """Durations of episodes, and the end of the run."""

    ends: float | None
    """Of the machine's monotonic clock [s]; None for no end."""
    left: dict[str, int]
    """Episodes of the whole table that are left, by rung."""
    _spent: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])

    def check(self) -> None:
        """Raises TimeUpError at the end of the run."""
        if self.ends is not None and time.monotonic() >= self.ends:
            raise TimeUpError

    def attempted(self, rung: str, seconds: float, *, counts: bool) -> None:
        """Counts an attempt, and whether its episode is done."""
        count, spent = self._spent.get(rung, (0, 0.0))
        self._spent[rung] = count + counts, spent + seconds
        self.left[rung] -= counts

    @property
    def left_s(self) -> float:
        """Expected time until the table is complete [s]."""
        total = 0.0
        for rung, count in self.left.items():
            done, spent = self._spent.get(rung, (0, 0.0))
            total += count * (spent / done if done else EXPECTED_S[rung])
        return total

    @property
    def text(self) -> str:
        """The expected time, for people."""
        minutes = round(self.left_s / 60.0)
        return f"table complete in {minutes // 60} h {minutes % 60:02d} min"


@dataclass(frozen=True, kw_only=True)
class EntryRun:
    """The episodes of one entry and seed on one arm."""

    entry: Entry
    seed: int
    """Evaluation seed."""
    rung: Rung
    controller: ArmController
    """Of the arm of that rung."""
    vectors: Array
    """``(n, Z)`` skill or goal of every episode."""
    journal: Journal
    pace: Pace
    revision: str
    """Of the code."""
    show: Callable[[str], object]
    """Called with a text for the user, and with an empty one after an episode that counts."""

    def run(self) -> None:
        """Runs the episodes that the journal lacks.

        Raises:
            TimeUpError: the time of the run is over.
            ArmError: the arm does not reach a start.
        """
        for number in range(len(self.vectors)):
            if number not in self.journal.records:
                self._run_episode(number)

    def _run_episode(self, number: int) -> None:
        for _ in range(ATTEMPTS):
            self.pace.check()
            began = time.monotonic()
            reason = self._attempt(number)
            seconds = time.monotonic() - began
            self.pace.attempted(self.entry.rung, seconds, counts=reason is None)
            if reason is None:
                self.show("")
                return
            self.journal.add_inconclusive(number, reason)
            self.show(f"{self._name(number)} is inconclusive: {reason}")

    def _attempt(self, number: int) -> str | None:
        """Runs one episode; returns why it does not count, or None."""
        rung, entry = self.rung, self.entry
        rung.start(self.controller, start_seed(entry, self.seed, number))
        before_s = rung.slip_s
        mode = "goal" if entry.commands == "goals" else "skill"
        episode = run_episode(rung, self.controller, self.vectors[number], mode, steps_of(entry))
        slip_s = rung.slip_s - before_s
        if slip_s > MAX_SLIP_S:
            return f"{slip_s:.3f} s of real time were lost"
        for reason in dict.fromkeys(episode.faults):
            self.show(f"{self._name(number)}: {reason}")
        revision = self.revision
        self.journal.add(Record.of(episode, number=number, slip_s=slip_s, revision=revision))
        return None

    def _name(self, number: int) -> str:
        return f"{self.entry}, episode {number} of seed {self.seed}"
