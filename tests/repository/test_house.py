"""Layout and language of the source tree; ``python -m tests.support.house`` prints the figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support import house

MAX_LINES = 400
MAX_MODULES = 12
MAX_PER_THOUSAND = 1.0


def test_no_module_is_longer_than_one_idea() -> None:
    long = {path: n for path, n in house.line_counts().items() if n > MAX_LINES}
    assert not long


def test_no_folder_holds_more_than_a_dozen_modules() -> None:
    full = {folder: n for folder, n in house.module_counts().items() if n > MAX_MODULES}
    assert not full


def test_modules_import_each_other_in_no_circle() -> None:
    assert house.circle() == []


def test_no_test_waits_forever_for_a_process_that_it_did_not_end() -> None:
    """``Popen`` as a context does; ``children.child_process`` kills its process first."""
    tests, pattern = Path(__file__).parents[1], re.compile(r"with subprocess\.Popen\(")
    waits = {path for path in tests.rglob("test_*.py") if pattern.search(path.read_text())}
    assert {path.name for path in waits} <= {"test_stop_reader.py", "test_limits.py"}  # they kill


@pytest.mark.parametrize("package", house.PACKAGES)
@pytest.mark.parametrize("pattern", house.PATTERNS)
def test_docstrings_and_comments_are_plain(package: str, pattern: str) -> None:
    prose = house.prose_of(package)
    assert prose.found[pattern] <= max(1.0, MAX_PER_THOUSAND * prose.words / 1000)


def test_every_pattern_is_found() -> None:
    """A pattern that matches no text could hide anything."""
    texts = {
        "what": "says what it does",
        "Of the ...": "Of the newest state.",
        "where for if": "empty where there is no goal",
        "whoever": "whoever has the lease",
        "told": "the policy is told the mass",
        "as it is": "leaves it as it is",
        "nothing": "returns nothing",
    }
    for name, pattern in house.PATTERNS.items():
        assert house.re.search(pattern, texts[name]), name


def test_every_benchmark_of_the_results_is_in_the_list() -> None:
    root = Path(__file__).parents[2]
    pages = [(root / "docs" / name).read_text() for name in ("results.md", "history.md")]
    cited = set(re.findall(r"python -m\s+benchmarks\.([a-z_.]+[a-z])", "\n".join(pages)))
    listed = (root / "benchmarks" / "README.md").read_text()
    assert len(cited) > 20
    assert {name for name in cited if f"`{name}" not in listed} == set()
