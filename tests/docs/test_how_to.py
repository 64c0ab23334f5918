"""Every command and every program on the how-to pages is run by a test, or stands in a table."""

from __future__ import annotations

import textwrap

import pytest
from tests.docs.how_to.absent import check
from tests.docs.how_to.code import CODE, Known, first_line
from tests.docs.how_to.pages import (
    SHELLS,
    Command,
    blocks,
    blocks_of,
    commands,
    how_to_pages,
    page_commands,
)
from tests.docs.how_to.steps import Absent
from tests.docs.how_to.table import COMMANDS

PAGES = how_to_pages()
ABSENT = [
    command
    for page in PAGES
    for command in page_commands(page)
    if isinstance(COMMANDS.get(page, {}).get(command.text), Absent)
]

ADD = (
    "This command is run by no test. Add it to the table of its page in tests/docs/how_to, in its "
    "place: Run, Interrupted (it ends with Ctrl-C) or Stays (a server), with a Change of "
    "shorter.py if it takes too long; or Absent with the reason why it cannot run here."
)
REMOVE = "No page has this command any more. Remove it from its table in tests/docs/how_to."


def texts(language: str, *lines: str) -> list[str]:
    """Returns the commands of a block with these lines."""
    block = blocks_of("\n".join([f"text\n\n```{language}", *lines, "```\n"]), "a.md")[0]
    return [command.text for command in commands(block)]


def test_the_pages_are_those_of_the_navigation() -> None:
    assert PAGES[:2] == ["README.md", "docs/install.md"]
    assert {"docs/web-page.md", "docs/realtime.md", "docs/worlds.md"} < set(PAGES)


def test_commands_are_found_without_comments_and_on_one_line() -> None:
    assert texts("bash", "a 1   2  # comment", "# b", "c \\", "  --d '# e'", "") == [
        "a 1 2",
        "c --d '# e'",
    ]
    assert texts("sh", "a && b", "(cd c && d)", "python -c 'e && f'") == [
        "a",
        "b",
        "(cd c && d)",
        "python -c 'e && f'",
    ]
    assert texts("python", "a = 1") == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_in_its_table(page: str) -> None:
    on_page = [command.text for command in page_commands(page)]
    table = COMMANDS.get(page, {})
    missing = [text for text in on_page if text not in table]
    assert missing == [], ADD
    stale = [text for text in table if text not in on_page]
    assert stale == [], REMOVE
    assert list(table) == list(dict.fromkeys(on_page)), "the table has another order than the page"


def test_every_table_is_that_of_a_page() -> None:
    assert set(COMMANDS) <= set(PAGES), REMOVE


@pytest.mark.parametrize("command", ABSENT, ids=str)
def test_a_command_that_cannot_run_here_has_flags_of_its_program(command: Command) -> None:
    check(command)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_code_is_in_the_table(page: str) -> None:
    found = {first_line(block) for block in blocks(page) if block.language == "python"}
    known = {line for where, line in CODE if where == page}
    assert found - known == set(), "Add it to tests/docs/how_to/code.py."
    assert known - found == set(), "No page has it any more. Remove it from code.py."


@pytest.mark.parametrize("page", PAGES)
def test_code_that_is_not_run_is_python(page: str) -> None:
    for block in blocks(page):
        code = CODE[page, first_line(block)] if block.language == "python" else None
        if isinstance(code, Known) and not code.is_part:
            compile(textwrap.dedent(block.text), f"{page}:{block.line}", "exec")


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_language(page: str) -> None:
    """A block without one would hide its commands."""
    known = {*SHELLS, "python", "text", "json", "yaml"}
    assert {block.language for block in blocks(page)} <= known
