"""Whether a window can be opened."""

from __future__ import annotations

import sys

import pytest

from skill_runtime.subscribers.screen import no_display


def test_a_screen_is_detected_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "DISPLAY" in no_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert no_display() == ""
