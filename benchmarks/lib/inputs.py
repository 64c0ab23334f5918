"""What the benchmarks are given: policy files, run directories and results, with clear refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from skill_runtime.policy.onnx_policy import OnnxPolicy, PolicyFileError


def open_policy(path: Path) -> OnnxPolicy:
    """The policy in a file; ends the program with the reason where there is none."""
    try:
        return OnnxPolicy(path)
    except PolicyFileError as error:
        raise SystemExit(str(error)) from None


def named(entries: Sequence[str], what: str) -> dict[str, list[Path]]:
    """``["told=a,b", "untold=c"]`` as ``{"told": [a, b], "untold": [c]}``, in that order.

    Args:
        entries: As on the command line.
        what: Called so in the refusal, e.g. ``"DIR"``.
    """
    found: dict[str, list[Path]] = {}
    for entry in entries:
        name, equals, paths = entry.partition("=")
        if not name or not equals or not all(paths.split(",")):
            raise SystemExit(f"{entry!r} is not NAME={what} or NAME={what},{what},...")
        if name in found:
            raise SystemExit(
                f"{name!r} is named twice; give all of it at once, with commas between"
            )
        found[name] = [Path(path) for path in paths.split(",")]
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; ends the program with the reason where there is none."""
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot read {path}: {error}") from None
    if not isinstance(content, dict):
        raise SystemExit(f"{path} holds no JSON object")
    return cast("dict[str, Any]", content)
