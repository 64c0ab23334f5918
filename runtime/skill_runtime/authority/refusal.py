"""Refusal: why a command was not carried out, in the words of the error reply."""

from __future__ import annotations

from skill_proto.messages import ErrorCode


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a failure of the program
    """A command that was refused; it has changed nothing."""

    def __init__(self, code: ErrorCode, message: str, fix: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.fix = fix
