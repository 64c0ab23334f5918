"""Texts in records: length, then UTF-8."""

from __future__ import annotations

from struct import pack, unpack_from

MAX_TEXT_BYTES = 1024
"""Longest text in UTF-8: 256 characters of four bytes. A longer one is cut."""


def pack_text(text: str) -> bytes:
    """Returns a text as part of a record."""
    encoded = text.encode("utf-8", "replace")[:MAX_TEXT_BYTES]
    return pack("<H", len(encoded)) + encoded


def unpack_text(record: bytes, offset: int) -> tuple[str, int]:
    """Returns the text at ``offset`` of a record, and the offset of its end.

    Raises:
        struct.error: The record ends before the text begins.
    """
    (length,) = unpack_from("<H", record, offset)
    start, end = offset + 2, offset + 2 + length
    # A text that was cut may end within a character.
    return record[start:end].decode("utf-8", "ignore"), end
