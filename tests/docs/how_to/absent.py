"""Checks a command that cannot be run here as far as this repository knows its program."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Generator
from typing import Any, NoReturn
from unittest.mock import patch

import tyro
from packaging.requirements import Requirement
from tests.docs.how_to.pages import ROOT, Command

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
CLIENT = "skill-client"


class _ParsedError(Exception):
    """The program has read its command line."""


def check(command: Command) -> None:
    """Checks the flags of a program of this repository, an extra, or a target of make.

    Raises:
        AssertionError: The program would refuse the command.
    """
    words = shlex.split(command.text)
    if words[0] in PROJECT["scripts"]:
        _check_flags(words)
    elif words[0] == "python" and words[1].startswith("examples/"):
        with _parsed(words[1:]):
            runpy.run_path(str(ROOT / words[1]), run_name="__main__")
    elif words[0].rpartition("/")[2] == "pip" and words[1] == "install":
        _check_requirement(Requirement(words[2]))
    elif words[0] == "make":
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif words[0] == "ros2":
        _check_name(words, (ROOT / command.page).read_text(encoding="utf-8"))
    else:
        assert words[0] in ("source", "sudo"), f"{command}: how can a test check this program?"


def _check_name(words: list[str], page: str) -> None:
    """Checks name and type of a topic or service by the tables of the page."""
    name = next(word.removeprefix("/") for word in words if word.startswith("/"))
    (row,) = re.findall(rf"^\| `{name}` \|.*", page, re.MULTILINE)
    for kind in (word for word in words if "/msg/" in word):
        assert kind.replace("/msg/", "/") in row
    for kind in (word for word in words if "/srv/" in word):
        assert f"All are `{kind.replace('/srv/', '/')}`" in page


def _check_requirement(requirement: Requirement) -> None:
    assert requirement.name in (PROJECT["name"], CLIENT)
    assert requirement.extras <= set(PROJECT["optional-dependencies"])


def _check_flags(words: list[str]) -> None:
    module, _, function = PROJECT["scripts"][words[0]].partition(":")
    if words[0] == "skill-train":  # its flags depend on the world, which is not here
        return
    with _parsed(words):
        getattr(importlib.import_module(module), f"_{function}")()


@contextlib.contextmanager
def _parsed(words: list[str]) -> Generator[None]:
    """Lets the program in this block read these words, and no more; it must accept them."""

    def tyro_cli(*arguments: object, **options: object) -> NoReturn:
        read_by_tyro(*arguments, **options)
        raise _ParsedError

    def parse_args(*arguments: object, **options: object) -> NoReturn:
        read_by_argparse(*arguments, **options)
        raise _ParsedError

    read_by_tyro: Callable[..., object] = tyro.cli
    read_by_argparse: Callable[..., object] = argparse.ArgumentParser.parse_args
    with (
        patch.object(tyro, "cli", tyro_cli),
        patch.object(argparse.ArgumentParser, "parse_args", parse_args),
        patch.object(sys, "argv", words),
        patch.object(sys, "path", [str(ROOT / "examples"), *sys.path]),
    ):
        try:
            yield
        except _ParsedError:
            return
        except SystemExit as end:
            raise AssertionError(
                f"the program refuses its flags, with exit code {end.code}"
            ) from None
        raise AssertionError("the program has not read its command line")
