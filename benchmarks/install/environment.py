"""Virtual environments outside the repository, and the cost of an installation."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "packages" / "skill-client"

MEGABYTE = {"bytes": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}


class CommandError(Exception):
    """A command failed; the text has its output."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The cost of one installation into an empty environment."""

    seconds: float
    """From the command that makes the environment until pip has ended [s]."""
    cpu_s: float
    """Processor time of the commands in it, which depends less on the network and the load [s]."""
    downloaded_mb: float
    """Sizes of the files that pip fetched [10^6 bytes]."""
    disk_mb: float
    """Size of the environment [10^6 bytes]."""


def run(
    command: Sequence[str | Path], folder: Path | None = None, timeout_s: float | None = None
) -> str:
    """Returns the output of a command, which finds no packages by ``PYTHONPATH``.

    Raises:
        CommandError: its exit code is not 0.
        subprocess.TimeoutExpired: it took longer.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    if done.returncode != 0:
        raise CommandError(f"{' '.join(map(str, command))}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


ENDINGS = {"sdist": "*.tar.gz", "wheel": "*.whl"}


def build(
    project: Path, folder: Path, *kinds: Literal["sdist", "wheel"], timeout_s: float | None = None
) -> list[Path]:
    """Builds distributions of a project with this environment's build backend.

    Args:
        project: Folder with a pyproject.toml.
        folder: Folder for the files.
        kinds: The distributions.
        timeout_s: Longest duration [s].

    Returns:
        One file for each kind.
    """
    flags = [flag for kind in kinds for flag in ("--target", kind)]
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder), *flags]
    run(command, project, timeout_s)
    return [next(folder.glob(ENDINGS[kind])) for kind in kinds]


def install(python: str, folder: Path, wheel: Path) -> Installation:
    """Makes the environment ``folder`` and installs a wheel with its pinned dependencies.

    Files come from the package index: the cache of pip is not used.
    """
    began, cpu = time.perf_counter(), cpu_of_children()
    run([python, "-m", "venv", folder], folder.parent)
    pip = [folder / "bin" / "pip", "install", "--no-cache-dir", "--disable-pip-version-check"]
    said = run([*pip, "-c", ROOT / "constraints.txt", wheel], folder.parent)
    return Installation(
        seconds=time.perf_counter() - began,
        cpu_s=cpu_of_children() - cpu,
        downloaded_mb=fetched_mb(said),
        disk_mb=size_mb(folder),
    )


def cpu_of_children() -> float:
    """Returns the processor time of all commands that have ended [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fetched_mb(said: str) -> float:
    """Returns the sum of the sizes that pip names as it downloads [10^6 bytes]."""
    found = re.findall(r"Downloading \S+ \(([\d.]+) (bytes|kB|MB|GB)\)", said)
    return sum(float(number) * MEGABYTE[unit] for number, unit in found)


def size_mb(folder: Path) -> float:
    """Returns the size of all files in a folder, links not followed [10^6 bytes]."""
    total = 0
    for parent, _, names in os.walk(folder):
        total += sum(os.lstat(Path(parent) / name).st_size for name in names)
    return total / 1e6
