"""The status line without a terminal; test_serve.py has it on a pseudo-terminal."""

from __future__ import annotations

import pytest

from skill_runtime.console.status_line import LiveLine


def test_without_a_terminal_lines_are_logged_at_a_period(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = LiveLine(log_period_s=60.0)
    for text in ("first", "second"):
        line.show(text)
    line.above("a warning")
    line.end()
    assert capsys.readouterr() == ("first\n", "a warning\n")
