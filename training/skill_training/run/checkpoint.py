"""Checkpoints: one file with the whole state of a run, replaced atomically.

The file is written under a temporary name, flushed to the disk and renamed over the old one. A
process that is killed at any time leaves either the previous or the new checkpoint, never a mix.
Reading uses torch's weights-only unpickler, so that a checkpoint cannot execute code.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch

from skill_training.errors import CheckpointError

FORMAT = 2
"""Version of the file's layout. A checkpoint of another version is refused."""

_MARK = "skill_training_checkpoint"


def save(path: Path, state: dict[str, Any]) -> None:
    """Writes ``state`` (tensors, numbers, strings, and containers of them) to ``path``.

    Raises:
        CheckpointError: the disk is full, or the directory cannot be written.
    """
    temporary = path.with_name(path.name + ".writing")
    file: _Recorded | None = None
    try:
        with temporary.open("wb") as raw:
            file = _Recorded(raw)
            torch.save({_MARK: FORMAT, "state": state}, cast("IO[bytes]", file))
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
        _flush_directory(path.parent)
    except (OSError, RuntimeError) as error:
        cause = error if file is None or file.error is None else file.error
        reason = str(cause).partition("\n")[0]
        # The cause tells a full disk from other failures.
        raise CheckpointError(f"cannot write the checkpoint {path}: {reason}") from cause
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


class _Recorded:
    """A file that notes the first error of a write, in whose place torch raises one of its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:  # noqa: ANN401  # any buffer
        """Writes bytes, and returns their number.

        Raises:
            OSError: the disk is full.
        """
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise

    def flush(self) -> None:
        """Passes the bytes on to the system."""
        self._file.flush()


def load(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Reads a file of :func:`save`, with its tensors on ``device``.

    Raises:
        CheckpointError: the file is missing, damaged, not a checkpoint, or of another format
            version.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint at {path}; give the directory of a run")
    _verify_archive(path)
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]
        raise _damaged(path, reason) from None
    version = content.get(_MARK) if isinstance(content, dict) else None
    if version is None:
        raise CheckpointError(f"{path} is not a checkpoint of skill-train")
    if version != FORMAT:
        raise CheckpointError(
            f"{path} has checkpoint format {version}, this program reads {FORMAT}; resume it with "
            "the version of skill-serve that wrote it"
        )
    state: dict[str, Any] = content["state"]
    return state


def _verify_archive(path: Path) -> None:
    """Checks the CRC of every record, since torch reads a flipped bit without an error."""
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise _damaged(path, str(error)) from None
    if broken is not None:
        raise _damaged(path, f"checksum mismatch in {broken}")


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint {path} is damaged ({reason}); it cannot be resumed: delete the run "
        "directory and train again"
    )


def _flush_directory(directory: Path) -> None:
    """Makes the rename durable, on systems that can open a directory."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
