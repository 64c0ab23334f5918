"""Names a file that is not an ONNX model by its content, and says how to get the model.

Only headers and directories are read: no pickle is loaded and no code of the file runs.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FileKind:
    """A kind of file that is often given in place of an ONNX model."""

    what: str
    """Noun phrase, e.g. "a Git LFS pointer"."""
    fix: str
    """How to get the ONNX model, in the imperative."""


_EXPORT = "export the network with torch.onnx.export, float32 and with the weights inside"
_EXPORT_ELSE = "export the model to ONNX with the framework that it came from"
_AGAIN = "copy or download it again"
_UNPACK = "unpack it, and give the ONNX file in it"

_PICKLE = FileKind(
    what="a Python pickle, such as an old PyTorch checkpoint; it was not loaded, because loading a "
    "pickle runs code of the file",
    fix=_EXPORT,
)
_TENSORRT = FileKind(what="a TensorRT engine", fix="give the ONNX file that it was built from")

_MAGIC: tuple[tuple[int, bytes, FileKind], ...] = (
    (
        0,
        b"\x89HDF\r\n\x1a\n",
        FileKind(what="an HDF5 file, such as a Keras model", fix="export the model with tf2onnx"),
    ),
    (4, b"TFL3", FileKind(what="a TensorFlow Lite model", fix="convert it with tf2onnx --tflite")),
    (0, b"ftrt", _TENSORRT),
    (0, b"ptrt", _TENSORRT),
    (
        4,
        b"ORTM",
        FileKind(
            what="a model in ONNX Runtime's own format", fix="give the ONNX file it was made from"
        ),
    ),
    (4, b"ET12", FileKind(what="an ExecuTorch program", fix=_EXPORT)),
    (0, b"\x93NUMPY", FileKind(what="a NumPy array", fix=_EXPORT_ELSE)),
    (0, b"GGUF", FileKind(what="a GGUF model", fix=_EXPORT_ELSE)),
    (0, b"\x1f\x8b", FileKind(what="a gzip archive", fix=_UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", FileKind(what="a Zstandard archive", fix=_UNPACK)),
    (0, b"\xfd7zXZ\x00", FileKind(what="an xz archive", fix=_UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", FileKind(what="a 7-Zip archive", fix=_UNPACK)),
    (257, b"ustar", FileKind(what="a tar archive", fix=_UNPACK)),
    *((0, b"\x80" + bytes([protocol]), _PICKLE) for protocol in range(2, 6)),
)
"""Offset, bytes at that offset, kind."""

_ONNX_TEXT = FileKind(
    what="an ONNX model written as text", fix="save it in binary form with onnx.save"
)
_ANNEX = FileKind(
    what="a git-annex pointer, a text that stands for the model",
    fix="run `git annex get` on it in its repository",
)

_TEXTS: tuple[tuple[tuple[str, ...], FileKind], ...] = (
    (
        ("version https://git-lfs", "version https://hawser"),
        FileKind(
            what="a Git LFS pointer, a text that stands for the model",
            fix="run `git lfs install` and `git lfs pull` in its repository",
        ),
    ),
    (("/annex/objects/", ".git/annex/", "../.git/annex/", "../../.git/annex/"), _ANNEX),
    (
        ("outs:\n- md5:",),
        FileKind(
            what="a DVC pointer, a text that stands for the model",
            fix="run `dvc pull` in its repository, and give the file that the pointer names",
        ),
    ),
    (
        ("<!doctype html", "<html"),
        FileKind(
            what="a web page, as the address of a page about a file gives",
            fix="download the file itself (its 'raw' or 'download' address)",
        ),
    ),
    (("<ir_version", "ir_version"), _ONNX_TEXT),
)
"""Beginnings of a text in lower case, kind."""

_HEAD = 4096
"""Number of bytes from which a text is recognised."""


def kind_of(content: bytes) -> FileKind | None:
    """Returns the kind of a file that is not an ONNX model; None if it is unknown."""
    if not content:
        return FileKind(what="an empty file", fix=_AGAIN)
    if content.count(0) == len(content):
        return FileKind(
            what=f"{len(content)} bytes of zeros, as an interrupted copy or download leaves",
            fix=_AGAIN,
        )
    if content.startswith(b"PK\x03\x04"):
        return _archive(content)
    for offset, magic, kind in _MAGIC:
        if content[offset : offset + len(magic)] == magic:
            return kind
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") < len(content):
        return FileKind(what="a safetensors file: weights without a network", fix=_EXPORT)
    return _text(content)


def _archive(content: bytes) -> FileKind:
    """Returns the kind of a zip archive from the names of its members."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return FileKind(
            what="a zip archive, such as a PyTorch checkpoint, that was cut short or is damaged",
            fix=f"{_AGAIN}; a PyTorch checkpoint must also be exported with torch.onnx.export",
        )
    inside = {name.split("/", 1)[-1] for name in names}  # without PyTorch's folder
    if inside & {"models/model.json", "serialized_exported_program.json"}:
        return FileKind(what="a program of torch.export (.pt2)", fix=_EXPORT)
    if "policy.pth" in names:
        return FileKind(
            what="a model of Stable-Baselines3",
            fix="export its policy with torch.onnx.export (Stable-Baselines3, 'Exporting models')",
        )
    if "constants.pkl" in inside or any(name.startswith("code/") for name in inside):
        return FileKind(what="a TorchScript program", fix=_EXPORT)
    if "data.pkl" in inside:
        return FileKind(what="a PyTorch checkpoint", fix=_EXPORT)
    if "model.weights.h5" in inside:
        return FileKind(what="a Keras model", fix="export it with model.export(..., format='onnx')")
    if names and all(name.endswith(".npy") for name in names):
        return FileKind(what="an archive of NumPy arrays", fix=_EXPORT_ELSE)
    return _other_archive(names)


def _other_archive(names: Sequence[str]) -> FileKind:
    models = [name for name in names if name.endswith(".onnx")]
    if models:
        return FileKind(what=f"a zip archive that contains {models[0]!r}", fix=_UNPACK)
    return FileKind(what="a zip archive without an ONNX file", fix=_EXPORT_ELSE)


def _text(content: bytes) -> FileKind | None:
    """Returns the kind of a text; None if the content is not a text."""
    head = content[:_HEAD].decode("utf-8-sig", errors="ignore")
    if len(head.encode()) < min(len(content), _HEAD) - 6:  # a mark, and half a character at the end
        return None
    if any(not letter.isprintable() and letter not in "\t\n\r\f" for letter in head):
        return None
    start = head.strip()
    for beginnings, kind in _TEXTS:
        if start.lower().startswith(beginnings):
            return kind
    if start.startswith("{") and '"irVersion"' in head:
        return _ONNX_TEXT
    if start.startswith("{") and b'"schema_version"' in content:
        return FileKind(
            what="a manifest", fix="give the ONNX file; the manifest beside it is found by its name"
        )
    what = "a JSON text" if start.startswith(("{", "[")) else f"a text, {start[:40]!r}"
    return FileKind(what=what, fix="give the ONNX file")
