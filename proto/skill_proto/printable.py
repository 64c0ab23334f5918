"""Text from the wire, safe to print: no character of it moves a cursor or hides other text."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Control characters, line separators, marks of writing direction, invisible characters, and halves
of surrogate pairs."""


def printable(text: str) -> str:
    r"""Returns the text on one line; unsafe characters become escapes such as ``\x1b``."""
    return _UNSAFE.sub(lambda match: _escape(match[0]), text)


def printable_lines(text: str) -> str:
    """Returns the text with its line breaks; each line is :func:`printable`."""
    return "\n".join(map(printable, text.split("\n")))


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
