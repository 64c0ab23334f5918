"""Modules and links that the pages name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "skill_proto": "proto",
    "skill_robots": "robots",
    "skill_training": "training",
    "skill_runtime": "runtime",
    "benchmarks": ".",
}
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("benchmarks/*.md"),
    *ROOT.glob("examples/**/*.md"),
    *ROOT.glob("models/*.md"),
]


def exists(dotted: str) -> bool:
    """Returns whether a dotted name is a module, or a name in the text of one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        path = ROOT / SOURCES[parts[0]] / "/".join(parts[:length])
        body = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if body.is_file():
            return length == len(parts) or parts[length] in body.read_text(encoding="utf-8")
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_and_links_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(rf"\b(?:{'|'.join(SOURCES)})(?:\.[a-z_]\w*)+", text))
    assert [name for name in names if not exists(name)] == []
    links = {link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link}
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_a_name_that_does_not_exist_is_found() -> None:
    assert exists("skill_runtime.client.SkillClient")
    assert exists("benchmarks.serving.tick")
    assert not exists("skill_runtime.pilot")
    assert not exists("skill_runtime.client.NoSuchName")
