"""Small files that are replaced as a whole: on a full disk the old content is kept."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Replaces the content of a file by a text, as :func:`replace_bytes` does.

    Raises:
        OSError: the file cannot be written; the old one is kept.
    """
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """Replaces the content of a file atomically, or creates the file.

    Raises:
        OSError: the file cannot be written; the old one is kept.
    """
    # A name of this process, since two processes may write to one path outside of run directories.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.writing")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
