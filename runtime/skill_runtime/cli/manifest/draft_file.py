"""The file of a draft: it replaces nothing but a manifest, and is written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from skill_runtime.console.flags import UsageError
from skill_runtime.console.output_file import check_writable
from skill_runtime.console.streams import OutputError

MAX_BYTES = 2**24
"""A longer file is no manifest; those of skill-train have about 5 kB."""

_ENTRIES = (b'"control_rate_hz"', b'"observation"')
"""Entries that every manifest has, also a draft, and one whose JSON has a mistake."""


def check_draft_file(place: Path, model: Path, *, force: bool) -> None:
    """Checks that a draft can be written without the loss of another file.

    Args:
        place: The file to write.
        model: The policy file.
        force: Whether a manifest may be replaced.

    Raises:
        UsageError: The file is the policy file, is no manifest, exists, or cannot be written.
    """
    try:
        exists = place.exists()
        if exists and place.samefile(model):
            raise UsageError(
                f"{place} is the policy file itself, which the draft would replace; choose another "
                f"--output FILE, or omit it for {model.with_suffix('.manifest.json')}"
            )
        if exists and place.is_file() and not _is_manifest(place):
            raise UsageError(
                f"{place} exists and is no manifest, and a draft replaces no other file; choose "
                "another --output FILE"
            )
        check_writable(place)
    except OSError as error:
        raise UsageError(
            f"cannot write {place}: {error.strerror}; choose another --output FILE"
        ) from None
    if exists and not force:
        raise UsageError(f"{place} exists; add --force to replace it, or choose --output FILE")


def _is_manifest(place: Path) -> bool:
    """Returns whether a file is a manifest, or is empty.

    Raises:
        OSError: It cannot be read.
    """
    with place.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        return False
    text = content.removeprefix(b"\xef\xbb\xbf").strip()  # an editor may have set this mark
    return not text or (text.startswith(b"{") and all(entry in text for entry in _ENTRIES))


def write_draft(place: Path, text: str) -> None:
    """Writes a draft; a file that exists is replaced whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    try:
        if place.exists() and not place.is_file():  # a pipe or a device, such as /dev/stdout
            place.write_text(text, encoding="utf-8")
            return
        target = place.resolve()
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(str(place), error) from None
