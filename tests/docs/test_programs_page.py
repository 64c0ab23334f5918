"""docs/programs.md and docs/install.md agree with pyproject.toml and the exit codes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from skill_proto.files.shipped_models import shipped_models
from skill_runtime.console import exit_codes

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROGRAMS = (ROOT / "docs/programs.md").read_text(encoding="utf-8")
INSTALL = (ROOT / "docs/install.md").read_text(encoding="utf-8")


def rows(page: str) -> list[str]:
    """Returns the first cell of each row of the tables on a page."""
    return [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("|")]


def test_every_program_is_listed() -> None:
    assert set(PROJECT["scripts"]) == {
        row.strip("`") for row in rows(PROGRAMS) if row.startswith("`skill-")
    }


def test_every_extra_is_listed() -> None:
    assert set(PROJECT["optional-dependencies"]) == set(re.findall(r"^\| `(\w+)`", INSTALL, re.M))


def test_every_exit_code_is_listed_once() -> None:
    listed = [int(code) for row in rows(PROGRAMS) for code in re.findall(r"^\d+|(?<=, )\d+", row)]
    codes = {value for name, value in vars(exit_codes).items() if name.isupper()}
    assert len(listed) == len(set(listed))
    assert codes <= set(listed)


def test_the_models_that_the_page_names_exist() -> None:
    named = re.findall(r"--model\s([a-z_]+)\b|check\s([a-z_]+)\b|start-from\s([a-z_]+)\b", PROGRAMS)
    names = {name for names in named for name in names if name}
    assert names >= {"goal_panda", "csf_ant", "csf_panda"}
    assert names <= set(shipped_models())
