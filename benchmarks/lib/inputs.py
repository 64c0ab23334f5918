"""Reads policy files, names of runs, and results; exits with a message if they are invalid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from skill_runtime.policy import OnnxPolicy, PolicyFileError


def open_policy(path: Path) -> OnnxPolicy:
    """Opens a policy file; exits with the reason if it is invalid."""
    try:
        return OnnxPolicy(path)
    except PolicyFileError as error:
        raise SystemExit(str(error)) from None


def named(entries: Sequence[str], what: str) -> dict[str, list[Path]]:
    """Parses ``["first=a,b", "second=c"]`` to ``{"first": [a, b], "second": [c]}``, in that order.

    Args:
        entries: Words of the command line.
        what: Placeholder of a path in the error message, such as ``"DIR"``.
    """
    found: dict[str, list[Path]] = {}
    for entry in entries:
        name, equals, paths = entry.partition("=")
        if not name or not equals or not all(paths.split(",")):
            raise SystemExit(f"{entry!r} is not NAME={what} or NAME={what},{what},...")
        if name in found:
            raise SystemExit(f"the name {name!r} occurs twice; write {name}={what},{what}")
        found[name] = [Path(path) for path in paths.split(",")]
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object from a file; exits with the reason if there is no such object."""
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot read {path}: {error}") from None
    if not isinstance(content, dict):
        raise SystemExit(f"{path} contains no JSON object")
    return cast("dict[str, Any]", content)
