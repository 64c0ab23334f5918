"""docs/safety.md agrees with the code."""

from __future__ import annotations

from typing import get_args

import pytest
from tests.support import safety_tables
from tests.support.safety_tables import EVENTS, LIMITS, PAGE, filled

from skill_robots.motion.governor import INTERVENTIONS
from skill_runtime.authority.modes import Event


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "run: python -m tests.support.safety_tables"


def test_a_changed_timeout_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(safety_tables, "COMMUNICATION_TIMEOUT_S", 0.05)
    assert "| the arm does not answer | 50 ms |" in filled(text)


def test_every_event_and_every_refusal_is_explained() -> None:
    assert set(EVENTS) == set(get_args(Event))
    assert set(LIMITS) == set(INTERVENTIONS)


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks"):
        filled("# Safety\n")
