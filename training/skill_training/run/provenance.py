"""Provenance of a run: code revision, machine and library versions, for manifests and cards."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "skill-serve"
LIBRARIES = ("torch", "numpy", "mujoco", "onnx", "onnxscript")


@cache
def code_revision() -> str:
    """Returns the git revision of this code, '-dirty' if changed; else the installed version.

    The revision is used only if this file is tracked: a package that is installed inside another
    project's repository must not report the revision of that project.
    """
    here = Path(__file__).resolve()
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return f"{DISTRIBUTION} {version(DISTRIBUTION)}"
    revision = _git(here.parent, "rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _git(here.parent, "status", "--porcelain", "--untracked-files=no", "--", ":/")
    return revision if changed == "" else f"{revision}-dirty"


def versions() -> dict[str, str]:
    """Returns the versions of the libraries that affect the results of a run."""
    found = {"python": platform.python_version(), DISTRIBUTION: version(DISTRIBUTION)}
    return found | {name: version(name) for name in LIBRARIES}


def machine(accelerator: str | None = None) -> str:
    """Returns one line on the machine: system, processor, cores, accelerator, but no host name."""
    parts = [f"{platform.system()} {platform.machine()}", processor(), f"{os.cpu_count()} cores"]
    if accelerator is not None:
        parts.append(accelerator)
    return ", ".join(part for part in parts if part)


def processor() -> str:
    """Returns the name of the processor, or an empty string if unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def version(name: str) -> str:
    """Returns the version of an installed distribution, or 'not installed'."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
