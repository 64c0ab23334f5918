"""Small files that are replaced as a whole: on a full disk the old content is kept."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Replaces the content of a file atomically, or creates the file.

    Raises:
        OSError: the file cannot be written; the old one is kept.
    """
    # A name of this process, since two processes may write to one path outside of run directories.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.writing")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
