"""The how-to pages, with their commands and their code."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]

README, INSTALL = "README.md", "docs/install.md"

SHELLS = ("bash", "sh")
"""Languages of blocks whose lines are commands."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

_WORD = re.compile(r"""'[^']*'|"[^"]*"|\([^)]*\)|(?<!\S)\#.*|&&|.""")
"""Quoted words and parentheses are whole: in them, neither # nor && has a meaning for a line."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block of code between three backticks."""

    page: str
    """Path of the page in the repository."""
    line: int
    """Line of its first backticks."""
    language: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of a block."""

    page: str
    line: int
    """Line of the backticks before its block."""
    text: str
    """The command without its comment, on one line, with single spaces."""

    def __str__(self) -> str:
        return f"{self.page}, block at line {self.line}: {self.text}"


def how_to_pages() -> list[str]:
    """Returns the pages of the navigation under "How to", with the README and docs/install.md."""
    config = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    sections = {
        name: items for section in config["project"]["nav"] for name, items in section.items()
    }
    names = [name for item in sections["How to"] for name in item.values()]
    return [README, INSTALL, *(f"docs/{name}" for name in names)]


def blocks(page: str) -> list[Block]:
    """Returns the blocks of code on a page, in their order."""
    return blocks_of((ROOT / page).read_text(encoding="utf-8"), page)


def blocks_of(text: str, page: str) -> list[Block]:
    """Returns the blocks of code in the text of a page, in their order."""
    return [
        Block(
            page=page,
            line=text.count("\n", 0, found.start()) + 1,
            language=found[1],
            text=found[2],
        )
        for found in _BLOCK.finditer(text)
    ]


def commands(block: Block) -> list[Command]:
    """Returns the commands of a block of a shell, in their order; other blocks have none."""
    if block.language not in SHELLS:
        return []
    lines = block.text.replace("\\\n", " ").splitlines()
    return [
        Command(page=block.page, line=block.line, text=text)
        for line in lines
        for text in _commands_of(line)
    ]


def page_commands(page: str) -> list[Command]:
    """Returns all commands of a page, in their order."""
    return [command for block in blocks(page) for command in commands(block)]


def _commands_of(line: str) -> list[str]:
    """Returns the commands of one line, without the comment."""
    found = [""]
    for word in _WORD.findall(line):
        if word == "&&":
            found.append("")
        elif not word.startswith("#"):
            found[-1] += word
    texts = [" ".join(text.split()) for text in found]
    return [text for text in texts if text]
