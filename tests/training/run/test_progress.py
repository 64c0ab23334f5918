"""Progress: lines in a log file, one bar on a terminal."""

from __future__ import annotations

import io

import pytest

from skill_training.run import progress
from skill_training.run.progress import Progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_file_gets_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_INTERVAL_S", 0.0)
    stream = io.StringIO()
    with Progress(2000, stream=stream) as shown:
        for done in (500, 1000, 2000):
            shown.update(done, {"moved>10cm": "0.97", "upd/s": "80"})
    text = stream.getvalue()
    assert "\r" not in text
    assert text.endswith("\n")
    lines = text.splitlines()
    assert [line.split("%")[0] for line in lines] == ["25", "50", "100"]
    assert all("moved>10cm 0.97, upd/s 80" in line for line in lines)


def test_a_log_file_is_not_flooded() -> None:
    stream = io.StringIO()
    with Progress(2000, stream=stream) as shown:
        for done in range(1, 2001):
            shown.update(done, {})
    assert len(stream.getvalue().splitlines()) == 2  # the first and the last


def test_a_resumed_run_counts_from_its_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_INTERVAL_S", 0.0)
    stream = io.StringIO()
    with Progress(2000, done=1500, stream=stream) as shown:
        shown.update(1600, {})
    assert stream.getvalue().startswith("80%")


def test_a_terminal_gets_a_bar() -> None:
    stream = _Terminal()
    with Progress(1000, stream=stream) as shown:
        shown.update(1000, {"octants": "8"})
    assert "\r" in stream.getvalue()
    assert "octants 8" in stream.getvalue()
    assert "100%" in stream.getvalue()
