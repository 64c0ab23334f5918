"""Result files: checked before a computation, written after it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from skill_proto.files import atomic_file
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
    _make_folder(Path(os.path.realpath(path)).parent, path, "a path in a folder")


def check_folder(folder: Path) -> None:
    """Checks before a computation that files can be written to a folder; creates the folder.

    Raises:
        UsageError: ``folder`` is a file, or is not writable.
    """
    _make_folder(folder, folder, "a folder")


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

    Its folder is created, since it may have been deleted during the computation.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        with suppress(OSError):  # The write has the better reason.
            Path(os.path.realpath(path)).parent.mkdir(parents=True, exist_ok=True)
        atomic_file.replace_bytes(path, content)
    except OSError as error:
        raise OutputError(str(path), error) from None


def _make_folder(folder: Path, target: Path, fix: str) -> None:
    for each in (folder, *folder.parents):
        if each.exists() and not each.is_dir():
            raise UsageError(f"cannot write {target}: {each} is a file, not a folder; name {fix}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {target}: the folder {folder} is not writable")


def _same_file(one: Path, other: Path) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        return one.samefile(other)
    except OSError:  # at least one of them does not exist
        return False
