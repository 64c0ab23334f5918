"""pydantic's validation errors as one line of text."""

from __future__ import annotations

from pydantic import ValidationError

from skill_proto.printable import printable


def describe_errors(error: ValidationError, limit: int = 8) -> str:
    """Describes each faulty field on one line of bounded length.

    A fault is given as the field, the problem and, for a scalar, the value. Names of fields and
    values are the sender's, so unsafe characters are escaped.

    Args:
        error: The error that pydantic raised.
        limit: Number of faults to describe; the rest are only counted.
    """
    found = error.errors(include_url=False)
    # A container whose length is wrong only because an entry was refused adds no information.
    containers = {item["loc"][:-1] for item in found if item["loc"]}
    items = [item for item in found if not item["loc"] or item["loc"] not in containers]
    lines: list[str] = []
    for item in items[:limit]:
        place = ".".join(str(part) for part in item["loc"]) or "(whole)"
        given = item["input"]
        shown = item["type"] != "missing" and isinstance(given, str | int | float | None)
        tail = f", got {clip(repr(given), 60)}" if shown else ""
        lines.append(printable(f"{clip(place, 80)}: {clip(item['msg'], 400)}{tail}"))
    left = len(items) - limit
    return "; ".join(lines) + (f"; and {left} more" if left > 0 else "")


def clip(text: str, length: int) -> str:
    """Returns the text, cut to ``length`` characters and an ellipsis if it is longer."""
    return text if len(text) <= length else f"{text[:length]}..."
