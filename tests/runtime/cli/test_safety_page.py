"""docs/safety.md says what the code does."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from skill_robots.motion.governor import INTERVENTIONS
from skill_runtime.authority.modes import Event
from skill_runtime.cli import safety_page
from skill_runtime.cli.safety_page import EVENTS, LIMITS, PAGE, filled

ROOT = Path(__file__).parents[3]


def test_the_page_is_up_to_date() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert filled(text) == text, "run: python -m skill_runtime.cli.safety_page"


def test_a_time_that_changes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    monkeypatch.setattr(safety_page, "COMMUNICATION_TIMEOUT_S", 0.05)
    assert "| the arm does not answer | 50 ms |" in filled(text)


def test_every_event_and_every_refusal_is_explained() -> None:
    assert set(EVENTS) == set(get_args(Event))
    assert set(LIMITS) == set(INTERVENTIONS)


def test_a_page_without_its_marks_is_told() -> None:
    with pytest.raises(ValueError, match="lacks"):
        filled("# Safety\n")
