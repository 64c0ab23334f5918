"""Files that are replaced as a whole.

A reader, a full disk or a process that dies finds the old content or the new one, never a part.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Yields the path of a temporary file, which replaces ``path`` at the end of the block.

    If the block raises, or the file cannot be replaced, the old file stays and the temporary one is
    deleted. A link stays a link: its target is replaced. A pipe or a device is no file to replace:
    the block gets its own path. The folder of the file must exist.

    Raises:
        OSError: The file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        yield target
        return
    # A name of its own, since two threads or processes may write to one path.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        # Without it the name may reach the disk before the content does.
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_bytes(path: Path, content: bytes) -> None:
    """Replaces the content of a file, or creates the file.

    Raises:
        OSError: The file cannot be written; the old one stays.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def replace_text(path: Path, text: str) -> None:
    """Does the same with a text, as UTF-8."""
    replace_bytes(path, text.encode())
