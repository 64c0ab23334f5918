"""Tables on the terminal and results in a file, the same way for every benchmark."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from skill_training.run.provenance import processor


def machine() -> dict[str, str | int]:
    """What a measured number depends on, as far as the system tells."""
    return {
        "processor": processor() or platform.machine(),
        "cores": os.cpu_count() or 0,
        "system": platform.system(),
        "python": platform.python_version(),
    }


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a Markdown table, columns aligned."""
    widths = [max(len(row[i]) for row in [headers, *rows]) for i in range(len(headers))]
    for row in (headers, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |")


def write_json(path: Path | None, result: Mapping[str, object]) -> None:
    """Writes ``result`` and the machine it was measured on; does nothing without a path."""
    if path is not None:
        text = json.dumps({"machine": machine(), **result}, indent=2)
        path.write_text(text + "\n", encoding="utf-8")
