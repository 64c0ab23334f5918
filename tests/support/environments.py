"""Distributions built from this repository, and virtual environments outside of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

from benchmarks.install import environment
from benchmarks.install.environment import CLIENT, ROOT

__all__ = ["CLIENT", "ROOT"]

BUILD_S = 120
"""Time for one build, or for one installation, on a loaded machine [s]."""


def build(project: Path, folder: Path, *kinds: Literal["sdist", "wheel"]) -> list[Path]:
    """Builds distributions of a project; returns one file for each kind."""
    return environment.build(project, folder, *kinds, timeout_s=BUILD_S)


def make_environment(folder: Path, python: str = sys.executable) -> Path:
    """Makes an empty virtual environment without pip; returns its interpreter."""
    environment.run([python, "-m", "venv", "--without-pip", str(folder)], folder.parent, BUILD_S)
    return folder / "bin" / "python"


def install(python: Path, *words: str) -> None:
    """Runs pip install for another environment, with the pinned versions."""
    _pip(python, "install", "--no-compile", "--constraint", str(ROOT / "constraints.txt"), *words)


def uninstall(python: Path, distribution: str) -> None:
    """Runs pip uninstall for another environment."""
    _pip(python, "uninstall", "--yes", distribution)


def borrow_dependencies(python: Path) -> None:
    """Lets an environment import the packages of this one, but not this repository.

    Python reads no .pth file of a folder that a .pth file names, so the editable installation of
    this repository stays out.
    """
    names = "import sysconfig; print(sysconfig.get_path('purelib'))"
    theirs, ours = (Path(output(path, "-c", names)) for path in (python, sys.executable))
    (theirs / "zz_dependencies.pth").write_text(f"{ours}\n")


def output(program: Path | str, *words: str, folder: Path | None = None) -> str:
    """Returns the output of a program that must succeed, without its last line break."""
    return environment.run([str(program), *words], folder, BUILD_S).rstrip("\n")


def other_python(version: str) -> str | None:
    """Returns an interpreter of a version such as 3.13; None if there is none."""
    command = shutil.which(f"python{version}")
    if command is None:
        return None
    done = subprocess.run([command, "-c", ""], capture_output=True, check=False)
    if done.returncode == 0:
        return command
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    return str(found[-1]) if found else None


def _pip(python: Path, *words: str) -> None:
    flags = ["--disable-pip-version-check", "--quiet", "--python", str(python)]
    environment.run([sys.executable, "-m", "pip", *flags, *words], None, BUILD_S)
