"""Measures the layout of the source tree: sizes, circles of imports, prose.

    python -m tests.support.house

prints the figures; tests/repository/ holds their bounds. ``lint-imports`` checks the layers.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "proto/skill_proto",
    "robots/skill_robots",
    "runtime/skill_runtime",
    "training/skill_training",
    "benchmarks",
    "examples",
)

PATTERNS = {
    "what": r"\b[Ww]hat (?!if\b)[a-z]+",
    "Of the ...": r"^\s*\"?\"?\"?Of (the|one|a|each|its|an)\b",
    "where for if": r"\bwhere (it|there|that|they|nothing|none|the|an?|no|this)\b",
    "whoever": r"\b[Ww]hoever\b|\bwho (steers|watches|listens|commands|drives)\b",
    "told": r"\btold\b",
    "as it is": r"\bas it is\b|\bif so\b|\bstays so\b",
    "nothing": r"\bnothing\b|\bnone\b",
}
"""Constructions that a reader must decode. Well-kept projects of the field have 0.0 to 0.3 of each
in 1,000 words (mink 1.3.0, mjlab 1.6.0, httpx)."""


@dataclass(frozen=True, kw_only=True)
class Prose:
    """Counts over the docstrings and comments of one package."""

    words: int
    found: dict[str, int]

    def per_thousand(self, pattern: str) -> float:
        """How often the pattern stands in 1,000 words."""
        return 1000.0 * self.found[pattern] / max(self.words, 1)


def modules(package: str) -> list[Path]:
    """All Python files of a package."""
    return sorted((ROOT / package).rglob("*.py"))


def prose_of(package: str) -> Prose:
    """Counts the patterns in docstrings and comments of a package."""
    texts = [text for path in modules(package) for text in _texts(path)]
    return Prose(
        words=sum(len(text.split()) for text in texts),
        found={
            name: sum(len(re.findall(pattern, text, re.MULTILINE)) for text in texts)
            for name, pattern in PATTERNS.items()
        },
    )


def _texts(path: Path) -> Iterator[str]:
    """Docstrings, attribute docstrings and comments of one file."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            value = node.value.value
            yield value if isinstance(value, str) else ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.removeprefix("#")


def line_counts() -> dict[Path, int]:
    """Lines of every module, by path from the root."""
    return {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for package in PACKAGES
        for path in modules(package)
    }


def module_counts() -> dict[Path, int]:
    """Modules directly in each folder, ``__init__`` and ``__main__`` aside."""
    counts: dict[Path, int] = {}
    for path in line_counts():
        if path.stem not in ("__init__", "__main__"):
            counts[path.parent] = counts.get(path.parent, 0) + 1
    return counts


def circle() -> list[str]:
    """Modules that import each other in a circle; empty if there is no circle."""
    packages = [Path(package).name for package in PACKAGES if "/" in package]
    graph = grimp.build_graph(*packages)
    sorter = TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    try:
        sorter.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def main() -> None:
    """Prints the figures."""
    lines, folders = line_counts(), module_counts()
    print(f"{len(lines)} modules, {sum(lines.values()):,} lines, {len(folders)} folders")
    print(f"circles of imports: {' -> '.join(circle()) or 0}")
    print("\nlongest modules")
    for path in sorted(lines, key=lambda path: -lines[path])[:8]:
        print(f"  {lines[path]:4d}  {path}")
    print("\nfullest folders")
    for path in sorted(folders, key=lambda path: -folders[path])[:8]:
        print(f"  {folders[path]:4d}  {path}")
    print("\nper 1,000 words of docstrings and comments")
    print(f"  {'package':24s}{'words':>8s}" + "".join(f"{name:>14s}" for name in PATTERNS))
    for package in PACKAGES:
        prose = prose_of(package)
        rates = "".join(f"{prose.per_thousand(name):14.1f}" for name in PATTERNS)
        print(f"  {package:24s}{prose.words:8,d}{rates}")


if __name__ == "__main__":
    main()
