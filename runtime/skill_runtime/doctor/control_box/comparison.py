"""Differences between the answers of two control boxes.

Times, counts, poses and noise differ between two examinations of one robot, so they are left out.
Status codes, modes, errors, frames, masses and limits are compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import isclose
from pathlib import Path
from typing import Any, cast

from skill_runtime.console.flags import UsageError
from skill_runtime.doctor.control_box.examination import FORMAT

VARYING = frozenset(
    (
        *("urdf", "sha256", "mean", "std", "reason_of_the_last_reflex"),
        *("gap_ms", "delay_ms", "answer_ms"),
    )
)
"""Values that differ between two robots, or between two examinations."""

CODES = frozenset(("protocol_version", "status", "version"))
"""Whole numbers that are codes; other whole numbers are counts."""

TOLERANCE = 1e-3
"""Difference of two numbers of a list that counts as equal: m, kg, rad or rad/s."""


def read_answers(path: Path) -> dict[str, Any]:
    """Reads the file of an earlier examination.

    Raises:
        UsageError: it is no such file.
    """
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} is no file of skill-doctor --arm HOST --json FILE")
    answers = cast("dict[str, Any]", content)
    if answers.get("format") != FORMAT or not isinstance(answers.get("tests"), list):
        raise UsageError(
            f"{path} is no file of skill-doctor --arm HOST --json FILE in format {FORMAT}"
        )
    return answers


def differences(here: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Lists the differences of two examinations, one per string.

    A test that only one of them has run is left out.
    """
    first, second = dict(_values(here)), dict(_values(other))
    tests = {name.partition(".")[0] for name in first} & {name.partition(".")[0] for name in second}
    return [
        f"{name}: {_text(first.get(name))}, not {_text(second.get(name))}"
        for name in dict.fromkeys((*first, *second))
        if name.partition(".")[0] in tests and not _equal(first.get(name), second.get(name))
    ]


def _values(answers: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Returns the compared values with their names, such as ``hold.errors``."""
    yield "protocol_version", answers.get("protocol_version")
    for entry in answers["tests"]:
        if isinstance(entry, dict):
            test = cast("dict[str, Any]", entry)
            yield f"{test.get('name')}.error", test.get("error")
            yield from _flat(f"{test.get('name')}", test.get("answer"))


def _flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    key = name.rpartition(".")[2]
    if key in VARYING:
        return
    if isinstance(value, dict):
        for part, inner in cast("dict[str, object]", value).items():
            yield from _flat(f"{name}.{part}", inner)
    elif isinstance(value, (str, list)) or (key in CODES and isinstance(value, int)):
        yield name, value


def _equal(one: object, other: object) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        first, second = cast("list[object]", one), cast("list[object]", other)
        return len(first) == len(second) and all(map(_equal, first, second))
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=0.0, abs_tol=TOLERANCE)
    return one == other


def _text(value: object) -> str:
    return "no answer" if value is None else json.dumps(value)
