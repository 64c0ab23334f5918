"""The policy files that come with skill-serve, by name.

An installed package has them in ``skill_runtime/models``, a checkout in ``models``. The
distribution of the client is without them.
"""

from __future__ import annotations

import re
from pathlib import Path

DEFAULT_MODEL = "csf_panda"
"""The model that ``skill-serve`` serves if none is named."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PACKAGE = Path(__file__).resolve().parents[1]
_FOLDERS = (_PACKAGE.parent / "skill_runtime" / "models", _PACKAGE.parents[1] / "models")


class UnknownModelError(ValueError):
    """No shipped model has this name; the text lists those that exist."""


def shipped_models() -> dict[str, Path]:
    """Returns the shipped policy files by name, in alphabetical order."""
    for folder in _FOLDERS:
        if (folder / f"{DEFAULT_MODEL}.onnx").is_file():
            return {path.stem: path for path in sorted(folder.glob("*.onnx"))}
    return {}


def describe_folder(folder: Path) -> str:
    """Returns the words for a folder in place of a policy file, with the first files in it."""
    models = sorted(entry.name for entry in folder.glob("*.onnx"))[:3]
    return "a folder" + (f", which contains {', '.join(models)}" if models else "")


def to_path(text: str) -> Path:
    """Returns the path that a person typed; a word with a folder remains one.

    ``Path`` drops the folder of ``./csf_panda``, and would leave the name of a model.
    """
    path = Path(text)
    return path.absolute() if "/" in text and path.name == str(path) else path


def find_model(given: Path | str) -> Path:
    """Returns the policy file that a person named.

    Args:
        given: Name of a shipped model, such as ``csf_panda``, or the path of a file, from
            :func:`to_path` if a person typed it. A word that is both is the path, and so is
            everything with a folder or a suffix in it.

    Raises:
        UnknownModelError: The word is neither a shipped model nor a path that exists.
    """
    text = str(given)
    path = Path(given)
    models = shipped_models()
    if not _NAME.fullmatch(text) or path.is_file():
        return path
    if text in models:
        return models[text]
    if path.exists():
        return path
    known = ", ".join(models) or "none is installed"
    raise UnknownModelError(
        f"there is no model {text!r}; models by name: {known}; or give the path of a policy file"
    )
