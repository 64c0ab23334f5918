"""Finds links of the built site that lead nowhere, and requests that leave the site."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""Elements that a browser loads with the page, and their attribute."""

PASSIVE = {"canonical", "alternate", "edit", "next", "prev", "preconnect"}
"""Relations of ``link`` that a browser does not load."""


class Page(HTMLParser):
    """Links, loaded addresses and places of one page.

    Args:
        text: The page as HTML.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes the attributes of an element."""
        values = {name: value for name, value in attrs if value}
        self.places |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        loaded = values.get(LOADED.get(tag, ""))
        if loaded and not (tag == "link" and values.get("rel") in PASSIVE):
            self.loaded.add(loaded)


def problems(site: Path) -> list[str]:
    """Returns a line for each link that leads nowhere and for each file from another host."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found: list[str] = []
    for path, page in sorted(pages.items()):
        name = path.relative_to(site)
        for link in sorted(page.links | page.loaded):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    found.append(f"{name}: {link} is loaded from another host")
                continue
            problem = _problem(path, unquote(parts.path), unquote(parts.fragment), site, pages)
            if problem:
                found.append(f"{name}: {link}: {problem}")
    return found


def _problem(path: Path, target: str, place: str, site: Path, pages: dict[Path, Page]) -> str:
    base = site if target.startswith("/") else path.parent
    file = (base / target.lstrip("/")).resolve() if target else path.resolve()
    if file.is_dir():
        file /= "index.html"
    if not file.exists():
        return "" if path.name == "404.html" else "there is no such file"
    page = pages.get(file)
    return f"there is no place {place!r}" if page and place and place not in page.places else ""
