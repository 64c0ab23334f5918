"""Files that are replaced as a whole.

A reader, a full disk or a process that dies finds the old content or the new one, never a part.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, mode: int | None = None) -> Generator[Path]:
    """Yields the path of a temporary file, which replaces ``path`` at the end of the block.

    If the block raises, or the file cannot be replaced, the old file stays and the temporary one is
    deleted. A link stays a link: its target is replaced. A pipe or a device is no file to replace:
    the block gets its own path. The folder of the file must exist.

    Args:
        path: The file.
        mode: Permissions of the new file. Default: those of the old one.

    Raises:
        OSError: The file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists():
        if not target.is_file():
            yield target
            return
        mode = stat.S_IMODE(target.stat().st_mode) if mode is None else mode
    # A name of its own, since two threads or processes may write to one path.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        if mode is not None:
            temporary.chmod(mode)
        # Without it the name may reach the disk before the content does.
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def replace_bytes(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replaces the content of a file, or creates the file.

    Args:
        path: The file.
        content: Its new content.
        mode: Permissions of the new file, also while it is written. Default: those of the old one.

    Raises:
        OSError: The file cannot be written; the old one stays.
    """
    with replacing(path, mode) as temporary:
        if mode is not None and temporary != path:
            temporary.touch(mode)
        temporary.write_bytes(content)


def replace_text(path: Path, text: str, mode: int | None = None) -> None:
    """Does the same with a text, as UTF-8."""
    replace_bytes(path, text.encode(), mode)
