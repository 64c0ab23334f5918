"""Finds links of the built site that lead nowhere, and requests that leave the site."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""Elements that a browser loads with the page, and their attribute."""

PASSIVE = {"canonical", "alternate", "edit", "next", "prev", "preconnect"}
"""Relations of ``link`` that a browser does not load."""

_STYLED = re.compile(r"""(?:url\(\s*['"]?|@import\s+['"])([^'")\s]+)""")


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
        self._is_style = False
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
        candidates = values.get("srcset", "").split(",")
        self.loaded |= {one.split()[0] for one in candidates if one.strip()}
        self.loaded |= styled(values.get("style", ""))
        self._is_style = tag == "style"

    def handle_data(self, data: str) -> None:
        """Notes the addresses in the text of a ``style`` element."""
        if self._is_style:
            self.loaded |= styled(data)

    def handle_endtag(self, tag: str) -> None:
        """Ends a ``style`` element."""
        del tag
        self._is_style = False


def styled(text: str) -> set[str]:
    """Returns the addresses that a style sheet loads; places in the page itself are none."""
    return {address for address in _STYLED.findall(text) if not address.startswith("#")}


def problems(site: Path) -> list[str]:
    """Returns a line for each link that leads nowhere and for each file from another host."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found: list[str] = []
    for path, page in sorted(pages.items()):
        found += _problems(path, page.links, page.loaded, site, pages)
    for path in sorted(site.rglob("*.css")):
        found += _problems(path, set(), styled(path.read_text(encoding="utf-8")), site, pages)
    return found


def _problems(
    path: Path, links: set[str], loaded: set[str], site: Path, pages: dict[Path, Page]
) -> list[str]:
    found: list[str] = []
    for link in sorted(links | loaded):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            if link in loaded and parts.scheme != "data":
                found.append(f"{path.relative_to(site)}: {link} is loaded from another host")
            continue
        problem = _problem(path, unquote(parts.path), unquote(parts.fragment), site, pages)
        if problem:
            found.append(f"{path.relative_to(site)}: {link}: {problem}")
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
