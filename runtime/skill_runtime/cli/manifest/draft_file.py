"""The file of a draft, which replaces nothing but a manifest."""

from __future__ import annotations

from pathlib import Path

from skill_runtime.console.flags import UsageError
from skill_runtime.console.output_file import check_distinct, check_writable

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
        check_distinct({"--output": place}, {"MODEL": model})
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
