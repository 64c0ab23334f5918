"""Files that the benchmarks write, checked before the work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from skill_runtime.console.flags import UsageError
from skill_runtime.console.output_file import check_distinct, check_writable

JSON = (".json",)
PICTURES = (".png", ".pdf", ".svg", ".jpg", ".jpeg", ".webp")
"""Suffixes of pictures."""

RUN_FILES = ("config.json", "run.json", "manifest.json")
"""Names of files of run directories."""


def check_outputs(outputs: Mapping[str, Path], inputs: Iterable[Path] = ()) -> None:
    """Checks before the work that its results can be written, and replace no file to keep.

    To keep are inputs, other results, and existing files with the suffix .json that no benchmark
    wrote. The folders of the results are created.

    Args:
        outputs: Files that the program writes, by the flag that names each.
        inputs: Files that the program reads.

    Raises:
        UsageError: A file is refused; the text says why.
    """
    check_distinct(outputs, {f"the input {path}": path for path in inputs})
    for flag, path in outputs.items():
        check_writable(path, flag)
        if path.suffix.lower() in JSON:
            _refuse_other_json(path)


def check_suffix(path: Path, allowed: Sequence[str]) -> None:
    """Checks that the name of a file has one of the suffixes.

    Raises:
        UsageError: It has none of them.
    """
    if path.suffix.lower() not in allowed:
        raise UsageError(f"cannot write {path}: its name must end in {', '.join(allowed)}")


def _refuse_other_json(path: Path) -> None:
    """Refuses a file that no benchmark wrote, and a name of a run directory."""
    if path.name in RUN_FILES:
        raise UsageError(
            f"cannot write {path}: a file of a run directory has this name; name another file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        text = "?"
    if text.strip() and not _is_result(text):
        raise UsageError(
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
