"""Progress of a run: a live bar on a terminal, or lines with the same content in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import NoReturn, Self, TextIO

from tqdm import tqdm

from skill_training.run.session.streams import unfailing

PLAIN_INTERVAL_S = 30.0
"""Seconds between two lines if the output is not a terminal."""


class Progress:
    """Shows steps done, time left and main metrics.

    Args:
        total: Steps of the whole run.
        done: Steps already done before this process.
        stream: Output stream; default: standard error. Text that cannot be written is dropped.
    """

    def __init__(self, total: int, *, done: int = 0, stream: TextIO | None = None) -> None:
        self._stream = unfailing(stream or sys.stderr)
        self._total = total
        self._initial = done
        self._done = done
        self._facts = ""
        self._start = time.monotonic()
        self._last_line = -PLAIN_INTERVAL_S
        self._bar: tqdm[NoReturn] | None = None
        if self._stream.isatty():
            self._bar = tqdm(
                total=total,
                initial=done,
                unit="step",
                unit_scale=True,
                dynamic_ncols=True,
                smoothing=0.05,
                file=self._stream,
            )

    def update(self, done: int, facts: Mapping[str, str]) -> None:
        """Moves to ``done`` steps and shows ``facts`` behind the bar, in order."""
        advance, self._done = done - self._done, done
        self._facts = ", ".join(f"{name} {value}" for name, value in facts.items())
        if self._bar is not None:
            self._bar.set_postfix_str(self._facts, refresh=False)
            self._bar.update(advance)
            return
        now = time.monotonic()
        if now - self._last_line >= PLAIN_INTERVAL_S or done >= self._total:
            self._last_line = now
            self._line(now)

    def say(self, text: str) -> None:
        """Writes one line without disturbing the bar."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            self._stream.write(text + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Leaves the finished bar on the screen."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _line(self, now: float) -> None:
        elapsed = now - self._start
        meter = tqdm.format_meter(
            self._done,
            self._total,
            elapsed,
            ncols=0,
            unit="step",
            unit_scale=True,
            initial=self._initial,
            postfix=self._facts,
        )
        self.say(meter.strip())
