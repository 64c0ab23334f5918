"""Runs that are none of the lift are refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.context.lifting.runs import RunPolicy


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=str(tmp_path)) as exit_info:
        RunPolicy(tmp_path)
    assert "\n" not in str(exit_info.value)
