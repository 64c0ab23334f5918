"""Reads the bytes of a policy file, and refuses a file that is not one complete ONNX model.

Nothing of the file is executed or loaded here.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from skill_proto.files.shipped_models import describe_folder, shipped_models
from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.file_kind import kind_of
from skill_runtime.policy.onnx_file.scan import CutShortError, NotProtobufError, OnnxScan, scan

MAX_BYTES = 2**31 - 1
"""Largest ONNX file; protobuf cannot read a larger one."""

_EXPECTED = "one complete ONNX file, weights inside (no external data)"
_HINT = "check the path; `skill-train` writes policy.onnx into its run folder"
_EXPORTED = "policy.onnx"
"""File that skill-train writes beside its checkpoints."""


def read_model(path: Path) -> tuple[bytes, OnnxScan]:
    """Returns the bytes of an ONNX file, and their scan.

    Raises:
        PolicyFileError: The path names no readable file, the file is not one complete ONNX model,
            or some of its weights are in another file.
    """
    content = _read(path)
    try:
        found = scan(content)
        problem = _incomplete(found)
    except NotProtobufError as error:
        found, problem = None, str(error)
        if isinstance(error, CutShortError):
            problem += ", so it was cut short"
    if found is None or problem:
        raise _not_onnx(path, content, problem)
    if found.external:
        raise _external(path, found)
    return content, found


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            problem = f"is {describe_folder(path)}"
            raise PolicyFileError(path, problem, "an ONNX policy file", _HINT)
        if not stat.S_ISREG(status.st_mode):
            raise PolicyFileError(path, "is not a regular file", "an ONNX policy file", _HINT)
        if status.st_size > MAX_BYTES:
            raise PolicyFileError(
                path,
                f"has {status.st_size} bytes",
                f"an ONNX policy file, which has at most {MAX_BYTES} bytes",
                _HINT,
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        problem = f"cannot be read: {error.strerror or error}"
        fix = "check the path and the permissions of file and folders"
        raise PolicyFileError(path, problem, "a readable ONNX policy file", fix) from None
    except ValueError:  # a path with a NUL character
        problem = "is not a valid path"
        raise PolicyFileError(path, problem, "an ONNX policy file", _HINT) from None


def _missing(path: Path) -> PolicyFileError:
    if not path.is_symlink():
        fix = _HINT
        if path.suffix == ".onnx" and path.stem in shipped_models():
            fix = f"give its name, {path.stem}, for the model that comes with skill-serve"
        return PolicyFileError(path, "there is no such file", "an ONNX policy file", fix)
    target = os.readlink(path)
    fix = "restore the target, or give the path of the file itself"
    if "annex/objects/" in target:
        fix = f"run `git annex get {path.name}` in its folder"
    return PolicyFileError(
        path, f"is a link to {target}, which does not exist", "an ONNX policy file", fix
    )


def _incomplete(found: OnnxScan) -> str:
    """Returns the part that the model lacks; '' if it is complete."""
    if not found.has_graph:
        return "it has no graph"
    return "" if found.opsets else "it names no operator set, so it was cut short"


def _not_onnx(path: Path, content: bytes, problem: str) -> PolicyFileError:
    kind = kind_of(content)
    if kind is None:
        return PolicyFileError(
            path,
            f"cannot be read as an ONNX model: {problem}",
            _EXPECTED,
            "copy or download it again if it was cut short, or export it again",
        )
    fix = kind.fix
    exported = path.with_name(_EXPORTED)
    if path.name != _EXPORTED and exported.is_file():
        fix = f"give {exported}, or: {fix}"
    return PolicyFileError(path, f"is not an ONNX model but {kind.what}", _EXPECTED, fix)


def _external(path: Path, found: OnnxScan) -> PolicyFileError:
    first = found.external[0]
    others = len(found.external) - 1
    more = f" and of {others} more" if others else ""
    files = sorted({repr(tensor.location) for tensor in found.external})[:3]
    return PolicyFileError(
        path,
        f"the weights of tensor {first.name!r}{more} are not in the file but in "
        f"{', '.join(files)}, which can be replaced without a trace",
        _EXPECTED,
        f"save it whole: python -c \"import onnx; onnx.save(onnx.load({path.name!r}), 'whole.onnx')"
        '" in its folder (package onnx), or export it with external_data=False',
    )
