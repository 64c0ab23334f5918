"""Progress of one entry and seed: a bar on a terminal, or a line now and then in a log file."""

from __future__ import annotations

import sys
import time
from typing import NoReturn, Self

from tqdm import tqdm

from benchmarks.arms.ladder.journal import Journal
from benchmarks.arms.ladder.runner import Pace

LINE_S = 60.0
"""Time between two lines if standard error is no terminal [s]."""


class Progress:
    """Shows the episodes of a journal, and when the whole table will be complete.

    Args:
        title: the entry and its seed.
        journal: its episodes.
        total: episodes of the complete journal.
        pace: the time of the run.
    """

    def __init__(self, title: str, journal: Journal, total: int, pace: Pace) -> None:
        self._title, self._journal, self._total, self._pace = title, journal, total, pace
        self._next_line = 0.0
        self._bar: tqdm[NoReturn] = tqdm(
            desc=title,
            total=total,
            initial=len(journal.records),
            unit="episode",
            dynamic_ncols=True,
            disable=None,  # without a terminal
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, text: str) -> None:
        """Prints a text above the bar, or advances the bar if the text is empty."""
        if text:
            self._bar.write(text, file=sys.stderr)
            return
        self._bar.set_postfix_str(self._pace.text, refresh=False)
        self._bar.update()
        if self._bar.disable and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_S
            count = f"{len(self._journal.records)} of {self._total} episodes"
            print(f"{self._title}: {count}; {self._pace.text}", file=sys.stderr, flush=True)
