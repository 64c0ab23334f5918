"""The error of a policy file that cannot be served."""

from __future__ import annotations

from pathlib import Path

from skill_proto.printable import printable


class PolicyFileError(Exception):
    """A policy file cannot be served; the text names the problem, the expectation and the fix.

    The text may quote names from the file, so it is made safe to print.
    """

    def __init__(self, path: Path, problem: str, expected: str, fix: str) -> None:
        super().__init__(printable(f"{path}: {problem}. Expected: {expected}. Fix: {fix}."))
        self.path = path
        self.problem = problem
        self.expected = expected
        self.fix = fix
