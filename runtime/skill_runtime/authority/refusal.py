"""The exception for a command that is refused, with the texts of the error reply."""

from __future__ import annotations

from skill_proto.messages import ErrorCode


class Refusal(Exception):  # noqa: N818 - a refusal is a reply, not an error of the program
    """A command was refused and has changed no state."""

    def __init__(self, code: ErrorCode, message: str, fix: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.fix = fix
