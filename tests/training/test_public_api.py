"""The public names of ``skill_training``."""

from __future__ import annotations

import subprocess
import sys

import pytest

import skill_training


def test_every_public_name_exists() -> None:
    assert skill_training.__all__ == sorted(skill_training.__all__)
    for name in skill_training.__all__:
        assert getattr(skill_training, name).__name__ == name
    assert set(skill_training.__all__) <= set(dir(skill_training))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Diayn'"):
        _ = skill_training.Diayn


def test_import_and_entry_need_no_torch() -> None:
    program = "import sys, skill_training, skill_training.entry; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
