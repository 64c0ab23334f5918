"""Files that the benchmarks write: checked before the work, and replaced as a whole after it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

from skill_training.run.session import replaced_file

JSON = (".json",)
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp", ".gif")
"""Suffixes of pictures and animations."""

RUN_FILES = ("config.json", "run.json", "manifest.json")
"""Names of files of run directories."""


def replace_bytes(path: Path, content: bytes) -> None:
    """Replaces a file atomically, or creates it and its folders; exits if it cannot be written.

    On a full disk, or if the process dies, the old content stays.
    """
    path = path.resolve()  # The target of a link is replaced, not the link.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replaced_file.replace_bytes(path, content)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SystemExit(
            f"cannot write {path}: {reason}; free the disk, or name another file"
        ) from None


def check_outputs(*paths: Path, inputs: Iterable[Path] = ()) -> None:
    """Exits with the reason if a file to write cannot be written, or is one to keep.

    Refused are folders, parents that are no writable folders, inputs, a second use of a
    path, and existing files with the suffix .json that no benchmark wrote.

    Args:
        paths: Files that the program writes.
        inputs: Files that it reads.
    """
    read = {path.resolve() for path in inputs}
    seen: set[Path] = set()
    for path in paths:
        resolved = path.resolve()
        if path.is_dir():
            raise SystemExit(f"cannot write {path}: it is a folder; name a file in it")
        check_folder(path.parent)
        if resolved in read:
            raise SystemExit(f"cannot write {path}: it is an input; name another file")
        if resolved in seen:
            raise SystemExit(f"cannot write two results to {path}; name another file for one")
        seen.add(resolved)
        if path.suffix.lower() in JSON:
            _refuse_other_json(path)


def check_suffix(path: Path, allowed: Sequence[str]) -> None:
    """Exits if the name of a file has none of the suffixes."""
    if path.suffix.lower() not in allowed:
        raise SystemExit(f"cannot write {path}: its name must end in {', '.join(allowed)}")


def check_folder(folder: Path) -> None:
    """Exits with the reason if no file can be made in a folder, which need not exist yet."""
    existing = folder.resolve()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise SystemExit(f"cannot write to {folder}: {existing} is no folder; name another one")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise SystemExit(f"cannot write to {folder}: {existing} is not writable; name another one")


def _refuse_other_json(path: Path) -> None:
    """Exits if a file exists that no benchmark wrote, or its name is one of a run directory."""
    if path.name in RUN_FILES:
        raise SystemExit(
            f"cannot write {path}: a file of a run directory has this name; name another file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        text = "?"
    if text.strip() and not _is_result(text):
        raise SystemExit(
            f"cannot write {path}: it exists and is no result of a benchmark; delete it, or name "
            "another file"
        )


def _is_result(text: str) -> bool:
    """Whether the content of a file describes the machine, as every result does."""
    try:
        content: object = json.loads(text)
    except ValueError:
        return False
    if not isinstance(content, dict):
        return False
    machine = cast("dict[str, object]", content).get("machine")
    return isinstance(machine, dict) and "processor" in machine
