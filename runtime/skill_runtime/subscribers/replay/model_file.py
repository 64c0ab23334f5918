"""Finds the policy file of a recording by its name and its digest."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from skill_proto.files.shipped_models import shipped_models
from skill_proto.messages import Welcome
from skill_runtime.subscribers.replay.policy_replay import ReplayError

FOLDERS = (Path(), Path("models"))
"""Folders that are searched, before the models that come with skill-serve."""


def find_model(welcome: Welcome, folders: Sequence[Path] = FOLDERS) -> Path:
    """Returns the policy file that a server served.

    Args:
        welcome: Description of the server.
        folders: Folders that may have the file.

    Raises:
        ReplayError: No folder has it, and no such model comes with skill-serve.
    """
    name = Path(welcome.policy_file).name  # a name from a file leads to no other folder
    for folder in folders if name else ():
        path = folder / name
        if _is_served(path, welcome):
            return path
    shipped = shipped_models().get(Path(name).stem)
    if shipped is not None and _is_served(shipped, welcome):
        return shipped
    searched = " or ".join(str(folder.absolute()) for folder in folders)
    raise ReplayError(
        f"the policy file {name or welcome.manifest.name!r} of the recording is not in {searched}; "
        "put it there, or name it with --model FILE"
    )


def _is_served(path: Path, welcome: Welcome) -> bool:
    with suppress(OSError):  # a file that cannot be read is not the one
        return path.is_file() and digest(path) == welcome.policy_sha256
    return False


def digest(path: Path) -> str:
    """Returns the SHA-256 of a file, hexadecimal."""
    return sha256(path.read_bytes()).hexdigest()
