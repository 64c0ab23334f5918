"""The documentation site: every page is in it, and links lead somewhere."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from docs.site.build import STARTS, moved, pages, staged
from docs.site.links import problems

ROOT = Path(__file__).parents[2]
HOSTED = "https://example.org/blob/main/"
SOURCES = {**STARTS, "docs/safety.md": "safety.md", "docs/protocol.md": "protocol.md"}


def navigation(items: list[dict[str, Any]]) -> list[str]:
    """Returns the pages of the navigation."""
    found: list[str] = []
    for item in items:
        for value in item.values():
            found += [value] if isinstance(value, str) else navigation(value)
    return found


def test_every_page_is_in_the_navigation_once() -> None:
    config = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    expected = [*STARTS.values(), *pages().values(), "programs-help.md"]
    assert sorted(navigation(config["project"]["nav"])) == sorted(expected)


@pytest.mark.parametrize(
    ("link", "source", "expected"),
    [
        ("docs/safety.md#faults", "README.md", "safety.md#faults"),
        ("../README.md", "docs/safety.md", "index.md"),
        ("README.md", "docs/safety.md", "index.md"),
        ("protocol.md", "docs/safety.md", "protocol.md"),
        ("docs/images/a.png", "README.md", "images/a.png"),
        ("images/a.png", "docs/safety.md", "images/a.png"),
        ("../deploy/unit.service", "docs/safety.md", HOSTED + "deploy/unit.service"),
        ("#faults", "docs/safety.md", "#faults"),
        ("https://a.org/docs/safety.md", "README.md", "https://a.org/docs/safety.md"),
    ],
)
def test_a_link_leads_to_its_place_in_the_site(link: str, source: str, expected: str) -> None:
    assert moved(link, source, SOURCES, HOSTED) == expected


def test_code_keeps_its_brackets() -> None:
    text = "[a](docs/safety.md)\n```python\nx[0](docs/safety.md)\n```\n[b](docs/protocol.md)\n"
    expected = "[a](safety.md)\n```python\nx[0](docs/safety.md)\n```\n[b](protocol.md)\n"
    assert staged(text, "README.md", SOURCES, HOSTED) == expected


def test_links_to_nothing_and_files_of_other_hosts_are_found(tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text('<h1 id="here">b</h1>')
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">good</a><a href="b.html#there">bad</a><a href="c.html">bad</a>'
        '<a href="https://a.org">good</a><img src="https://a.org/x.png"><p id="p"><a href="#p">'
    )
    assert problems(tmp_path.resolve()) == [
        "a.html: b.html#there: there is no place 'there'",
        "a.html: c.html: there is no such file",
        "a.html: https://a.org/x.png is loaded from another host",
    ]


def test_what_styles_and_sets_of_pictures_load_is_found(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    (tmp_path / "a.html").write_text(
        '<img src="x.png" srcset="x.png 1x, https://a.org/y.png 2x, z.png 3x">'
        "<style>b {background: url('https://a.org/b.png')} i {mask: url(#m)}</style>"
        '<p style="background: url(x.png)">url(no.png)</p>'
    )
    (tmp_path / "a.css").write_text(
        "@import 'https://a.org/c.css'; a {src: url(\"font.woff\")} b {src: url(data:x)}"
    )
    assert problems(tmp_path.resolve()) == [
        "a.html: https://a.org/b.png is loaded from another host",
        "a.html: https://a.org/y.png is loaded from another host",
        "a.html: z.png: there is no such file",
        "a.css: font.woff: there is no such file",
        "a.css: https://a.org/c.css is loaded from another host",
    ]


@pytest.mark.slow
def test_the_site_is_built_without_a_problem() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.site.build"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skill-serve [-h]" in (ROOT / "build/site/programs-help.html").read_text()
