"""The code on docs/new-arm.md is that of the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "new-arm.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FILES = sorted(
    {ROOT / name for name in re.findall(r"`((?:robots|runtime|tests)/[\w/.]+\.py)`", PAGE)}
)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.strip().split("\n")[0])
def test_an_example_stands_in_a_file_that_the_page_names(example: str) -> None:
    assert any(example in path.read_text(encoding="utf-8") for path in FILES)


def test_the_files_of_the_page_exist() -> None:
    named = re.findall(r"`((?:robots|runtime|tests)/[\w/.]+)`", PAGE)
    assert [name for name in named if not (ROOT / name).exists()] == []
