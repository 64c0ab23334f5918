"""JSON result files: checked before a computation, written after it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from skill_runtime.console.flags import UsageError


def check_writable(path: Path) -> None:
    """Checks before a computation that its result can be written; creates the folder.

    Raises:
        UsageError: ``path`` is a folder, or is not writable.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"cannot write {path}: the folder {path.parent} is not writable")


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Writes ``content`` as indented JSON.

    Raises:
        UsageError: the file is not writable.
    """
    try:
        path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
