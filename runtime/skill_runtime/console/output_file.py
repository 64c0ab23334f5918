"""Result files: checked before a computation, written after it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from skill_runtime.console.flags import UsageError
from skill_runtime.console.streams import OutputError


def check_writable(path: Path, flag: str = "a path") -> None:
    """Checks before a computation that its result can be written; creates the folder.

    Args:
        path: The file.
        flag: The flag that names it, for messages.

    Raises:
        UsageError: ``path`` is a folder, or is not writable.
    """
    if path == Path():
        raise UsageError(f"{flag} is empty, or '.', which is a folder; name a file to write")
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file to write")
    if path.exists() and not path.is_file():  # a pipe or a device: its folder does not matter
        return
    for parent in path.parents:
        if parent.exists() and not parent.is_dir():
            raise UsageError(
                f"cannot write {path}: {parent} is a file, not a folder; name a path in a folder"
            )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"cannot write {path}: the folder {path.parent} is not writable")


def check_distinct(outputs: Mapping[str, Path], inputs: Mapping[str, Path]) -> None:
    """Checks that no result replaces another result, or a file that the program reads.

    Args:
        outputs: Files to write, by the flag that names each.
        inputs: Files to read, by the words that name each in a message.

    Raises:
        UsageError: two paths are the same file, also through a link; the text names the flags.
    """
    taken = dict(inputs)
    for flag, path in outputs.items():
        for other, known in taken.items():
            if _same_file(path, known):
                raise UsageError(f"{flag} {path} is the file of {other}; name another file")
        taken[flag] = path


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Writes ``content`` as indented JSON; a file that exists is replaced whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    write_file(path, text.encode())


def write_file(path: Path, content: bytes) -> None:
    """Writes ``content``; a file that exists is replaced whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe or a device, such as /dev/stdout
            path.write_bytes(content)
            return
        target = Path(os.path.realpath(path))  # a link stays a link
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            part.write_bytes(content)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(str(path), error) from None


def _same_file(one: Path, other: Path) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return one.samefile(other)
    except OSError:  # at least one of them does not exist
        return False
