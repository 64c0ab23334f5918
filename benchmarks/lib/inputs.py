"""Reads policy files, names of runs, and results; exits with a message if they are invalid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard, cast

from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy, PolicyFileError


def open_policy(path: Path) -> OnnxPolicy:
    """Opens a policy file; exits with the reason if it is invalid."""
    try:
        return OnnxPolicy(path)
    except PolicyFileError as error:
        raise UsageError(str(error)) from None


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
            raise UsageError(f"{entry!r} is not NAME={what} or NAME={what},{what},...")
        if name in found:
            raise UsageError(f"the name {name!r} occurs twice; write {name}={what},{what}")
        found[name] = [Path(path) for path in paths.split(",")]
    refuse_twice([path for paths in found.values() for path in paths])
    return found


def refuse_twice(paths: Sequence[Path]) -> None:
    """Exits if two paths are the same file or folder, which would count as two."""
    seen: dict[Path, Path] = {}
    for path in paths:
        resolved = path.resolve()
        if resolved in seen:
            raise UsageError(
                f"{seen[resolved]} and {path} are the same; give each file or folder once"
            )
        seen[resolved] = path


def names_of(paths: Sequence[Path]) -> dict[str, Path]:
    """Returns the paths by their shortest distinguishing names, in that order.

    The name is the stem, and with folders if others have the same: all training runs write a
    policy.onnx. Exits if a file occurs twice.
    """
    refuse_twice(paths)
    full = [path.resolve() for path in paths]
    stems = [one.with_suffix("").parts for one in full]
    if len(set(stems)) < len(stems):  # Files that only their suffixes distinguish.
        stems = [one.parts for one in full]
    named: dict[str, Path] = {}
    for path, stem in zip(paths, stems, strict=True):
        length = next(
            length
            for length in range(1, len(stem) + 1)
            if sum(one[-length:] == stem[-length:] for one in stems) == 1
        )
        named["/".join(stem[-length:])] = path
    return named


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object from a file; exits with the reason if there is no such object."""
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} contains no JSON object")
    return cast("dict[str, Any]", content)


def numbers(value: object) -> dict[str, float] | None:
    """Returns an object of JSON if all its values are numbers, otherwise None."""
    if not isinstance(value, dict):
        return None
    found = cast("dict[str, object]", value)
    kept = {name: one for name, one in found.items() if is_number(one)}
    return kept if len(kept) == len(found) else None


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value of JSON is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
