"""How every program starts and ends: its version, its output, its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from skill_proto.printable import printable
from skill_runtime.console.exit_codes import FAILED, INTERRUPTED, OK
from skill_runtime.console.interrupts import end_at_interrupt
from skill_runtime.console.streams import OutputError, ReaderGoneError, guard_streams

DISTRIBUTION = "skill-serve"

LIBRARIES = ("numpy", "mujoco", "onnxruntime-gpu", "onnxruntime", "pyzmq")
"""Distributions whose versions a report of a problem needs."""

VERSION_HINT = (
    "--version prints the versions of program and libraries. Exit codes: 0 done, 1 failed, "
    "2 cannot be done as asked, 128 + n ended by signal n."
)
"""End of the description in the help of each program."""


def run_program(name: str, main: Callable[[], None], *, subcommands: bool = False) -> NoReturn:
    """Runs a program and ends the process with an exit code of exit_codes.py.

    ``--version`` is answered here, before the modules of the program are imported.

    Args:
        name: Name of the program, for its messages.
        main: The program. It may end with SystemExit, OutputError or ReaderGoneError.
        subcommands: Whether the program has subcommands. Their arguments may contain any text, so
            ``--version`` counts only in front of them.
    """
    end_at_interrupt()
    guard_streams()
    # ONNX Runtime 1.31 otherwise sends events to its vendor, from a thread of its own, and keeps a
    # database in the user's cache. It reads the variable when it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    arguments = sys.argv[1:2] if subcommands else sys.argv[1:]
    sys.exit(_run(name, _print_version(name) if "--version" in arguments else _read_flags(main)))


def _run(name: str, main: Callable[[], None]) -> int:
    code = OK
    try:
        code = _code_of(name, main)
        sys.stdout.flush()
    except ReaderGoneError:
        return code
    except OutputError as error:
        print_error(name, error)
        return code or FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _read_flags(main: Callable[[], None]) -> Callable[[], None]:
    """Returns the program, with the types of its flags that may be omitted."""

    def run() -> None:
        from skill_runtime.console.flags import optional_flags

        with optional_flags():
            main()

    return run


def _code_of(name: str, main: Callable[[], None]) -> int:
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, int):
            return end.code
        if end.code is None:
            return OK
        print_error(name, end.code)
        return FAILED
    return OK


def print_error(name: str, error: object) -> None:
    """Prints an error of a program to standard error; control characters are escaped.

    Args:
        name: Name of the program.
        error: The error or its text, which may have several lines.
    """
    lines = [printable(line) for line in str(error).split("\n")]
    with suppress(OSError, OutputError):
        sys.stderr.write(f"{name}: " + "\n  ".join(lines) + "\n")
        sys.stderr.flush()


def version_text(name: str) -> str:
    """Returns name, version and, in a checkout, revision; then the versions of the libraries."""
    revision = _revision()
    version = installed_version(DISTRIBUTION) or "(not installed)"
    found = {library: installed_version(library) for library in LIBRARIES}
    libraries = [f"{library} {number}" for library, number in found.items() if number]
    python = f"python {sys.version.split()[0]}"
    return (
        f"{name} {version}{f' (checkout of {revision})' if revision else ''}\n"
        f"{', '.join([python, *libraries])}"
    )


def _print_version(name: str) -> Callable[[], None]:
    def show() -> None:
        sys.stdout.write(f"{version_text(name)}\n")

    return show


def installed_version(distribution: str) -> str:
    """Returns the version of an installed distribution; '' if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _revision() -> str:
    """Returns the abbreviated git revision of this checkout; empty outside a checkout.

    Reads git's files: the program must not wait for another one. Only the repository of this
    project counts, not one that has it installed in a folder.
    """
    root = Path(__file__).resolve().parents[3]
    try:
        if not (root / "runtime" / "skill_runtime").is_dir():
            return ""
        git = root / ".git"
        if git.is_file():  # a linked work tree
            git = root / git.read_text().removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text().strip()
        common = git / "commondir"
        shared = git / common.read_text().strip() if common.is_file() else git
        if not head.startswith("ref: "):
            return head[:12]
        name = head.removeprefix("ref: ")
        for folder in (git, shared):
            if (folder / name).is_file():
                return (folder / name).read_text().strip()[:12]
        packed = (shared / "packed-refs").read_text().splitlines()
        return next((line[:12] for line in packed if line.endswith(f" {name}")), "")
    except (OSError, ValueError):
        return ""
