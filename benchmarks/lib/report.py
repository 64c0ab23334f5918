"""Prints tables to the terminal and writes results to files, in one format."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from skill_runtime.console import output_file
from skill_training.run.provenance import processor


def machine() -> dict[str, str | int]:
    """Describes this machine, on which the measured numbers depend."""
    return {
        "processor": processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def seed_text(seeds: Sequence[int]) -> str:
    """Formats seeds for a text: ``100 to 109``, or ``0, 2, 5`` if they are not consecutive."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table with aligned columns."""
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]
    for row in (headers, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |")


def write_json(path: Path | None, result: Mapping[str, object]) -> None:
    """Writes ``result`` and a description of the machine, if there is a path.

    The file is replaced as a whole. NaN and infinities, which JSON lacks, become null.

    Raises:
        OutputError: The file cannot be written.
    """
    if path is not None:
        content = {"machine": machine(), **result}
        output_file.write_json(path, {key: finite(value) for key, value in content.items()})


def finite(value: object) -> object:
    """Returns a value of JSON with None in place of NaN and infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {key: finite(one) for key, one in items}
    if isinstance(value, list | tuple):
        return [finite(one) for one in cast("Sequence[object]", value)]
    return value
