"""Builds the documentation site.

    make docs

The pages are those of ``docs/``, ``README.md`` and the other pages that they name. Links to files
of the repository that are no pages become links to the hosted repository. The reference of the
programs is written from their ``--help``. A link to a page or heading that does not exist ends the
build.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from docs.site.links import problems

ROOT = Path(__file__).parents[2]
STAGE = ROOT / "build/docs"
"""Folder of the staged pages; ``zensical.toml`` names it."""

STARTS = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "examples/README.md": "examples.md",
}
"""Pages outside ``docs/``, and their places in the site."""

SITE = ROOT / "build/site"

_LINK = re.compile(r"(!?\[[^\]]*\]\(|<img src=\")([^)\"\s]+)")
_CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)

HELP_COLUMNS = "100"


def main() -> None:
    """Stages the pages and builds the site; exits with the builder's code."""
    if STAGE.exists():
        shutil.rmtree(STAGE)
    STAGE.mkdir(parents=True)
    shutil.copytree(ROOT / "docs/images", STAGE / "images")
    sources = {**STARTS, **pages()}
    hosted = project()["urls"]["Source"] + "/blob/main/"
    for source, place in sources.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        (STAGE / place).write_text(staged(text, source, sources, hosted), encoding="utf-8")
    (STAGE / "programs-help.md").write_text(programs_page(), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    code = subprocess.run([*command, "-f", "zensical.toml"], cwd=ROOT, check=False).returncode
    found = problems(SITE.resolve()) if code == 0 else []
    for line in found:
        sys.stderr.write(f"make docs: {line}\n")
    if not code and not found:
        sys.stdout.write(f"make docs: open {SITE / 'index.html'}\n")
    sys.exit(code or int(bool(found)))


def pages() -> dict[str, str]:
    """Returns the pages of ``docs/`` and their places; its own list of pages is the navigation."""
    found = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md")
    return {f"docs/{name}": name for name in found}


def staged(text: str, source: str, sources: dict[str, str], hosted: str) -> str:
    """Returns a page with the links of its new place; blocks of code stay as they are.

    Args:
        text: The page.
        source: Its path in the repository.
        sources: Paths of all pages, and their places.
        hosted: Address of the files that are no pages.
    """

    def replace(found: re.Match[str]) -> str:
        before, link = found.groups()
        return before + moved(link, source, sources, hosted)

    parts, end = [], 0
    for block in _CODE.finditer(text):
        parts += [_LINK.sub(replace, text[end : block.start()]), block.group()]
        end = block.end()
    return "".join(parts) + _LINK.sub(replace, text[end:])


def moved(link: str, source: str, sources: dict[str, str], hosted: str) -> str:
    """Returns where a link of a page leads from the place of the page."""
    target, hash_, anchor = link.partition("#")
    if not target or "://" in target:
        return link
    path = os.path.normpath(Path(source).parent / target)
    if path.startswith("docs/images/"):
        return path.removeprefix("docs/")
    if path == "docs/README.md":
        return "index.md"
    place = sources.get(path)
    return f"{place}{hash_}{anchor}" if place else f"{hosted}{path}{hash_}{anchor}"


def project() -> dict[str, dict[str, str]]:
    """Returns the table ``project`` of ``pyproject.toml``."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return content["project"]


def programs_page() -> str:
    """Returns the page with the ``--help`` of every program."""
    parts = [
        "# Flags of the programs\n\nThe text of `--help` of each program; "
        "[programs.md](programs.md) says what they are for.\n"
    ]
    for name, function in sorted(project()["scripts"].items()):
        parts.append(f"## {name}\n\n```text\n{help_of(name, function)}\n```\n")
    return "\n".join(parts)


def help_of(program: str, function: str) -> str:
    """Returns the text of ``--help``.

    Args:
        program: Name of the program.
        function: Its module and function, as ``package.module:function``.

    Raises:
        subprocess.CalledProcessError: The program cannot be started.
    """
    environment = os.environ | {"COLUMNS": HELP_COLUMNS, "NO_COLOR": "1", "TERM": "dumb"}
    module, _, name = function.partition(":")
    start = f"import sys; sys.argv[0] = {program!r}; from {module} import {name}; {name}()"
    command = [sys.executable, "-c", start, "--help"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.replace(str(Path.home()), "~").rstrip()


if __name__ == "__main__":
    main()
