"""JSON result files: checked before a computation, written after it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from skill_runtime.console.flags import UsageError
from skill_runtime.console.streams import OutputError


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
    """Writes ``content`` as indented JSON; a file that exists is replaced whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():  # a pipe or a device, such as /dev/stdout
            path.write_text(text, encoding="utf-8")
            return
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path.resolve())
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(str(path), error) from None
