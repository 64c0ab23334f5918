"""Modules that a test runs as children."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WriteModule = Callable[[str, str], str]


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteModule:
    """Returns a function that writes a module for children, and returns its name."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(name: str, code: str) -> str:
        (tmp_path / f"{name}.py").write_text(code)
        return name

    return write
