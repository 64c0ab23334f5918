"""The answers of a control box as text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from skill_robots.franka.handshake import SYSTEMS
from skill_runtime.doctor.control_box.robot_test import Entry

LONGEST = 200
"""Longest value that is printed [characters]; a file has all of it."""


def title(host: str, version: int) -> str:
    """Returns the line about the robot."""
    return f"{host}: protocol version {version}, {SYSTEMS.get(version, 'an unknown robot')}"


def entry_text(entry: Entry) -> str:
    """Returns the lines of one test."""
    lines = ["", f"{entry.question} ({entry.seconds:.1f} s)"]
    if entry.answer is None:
        return "\n".join([*lines, f"  not answered: {entry.error}"])
    return "\n".join(
        [*lines, *(f"  {name}: {_short(value)}" for name, value in entry.answer.items())]
    )


def comparison_text(file: str, differences: Sequence[str]) -> str:
    """Returns the lines about the differences from the answers in a file."""
    if not differences:
        return f"\nno difference from {file}"
    return "\n".join([f"\ndifferences from {file}", *(f"  {each}" for each in differences)])


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text):,} characters)"
