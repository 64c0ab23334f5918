"""The folder of one server, and the error of one that cannot start."""

from __future__ import annotations

import tempfile
from pathlib import Path


class ServeError(Exception):
    """The server cannot start; the text gives the reason."""

    def __init__(self, reason: str, *, may_pass: bool) -> None:
        super().__init__(reason)
        self.may_pass = may_pass
        """Whether the same command may work later."""


def make_private_folder() -> Path:
    """Returns a new folder that only this user can enter.

    Raises:
        ServeError: It cannot be made.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="skill-serve-"))
    except OSError as error:
        folder = tempfile.gettempdir() if error.filename is None else Path(error.filename).parent
        reason = f"cannot make a folder in {folder}: {error.strerror}"
        fix = "free some space there, or set TMPDIR to another folder"
        raise ServeError(f"{reason}. Fix: {fix}", may_pass=True) from None
