"""The shared library with the Panda's model, which clients of version 5 download and call.

It is compiled from ``fer_model.c`` and from constants that are generated from the robot's MuJoCo
model. The result is kept in the user's cache folder under a hash of everything it depends on.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from contextlib import suppress
from importlib import resources
from pathlib import Path

from skill_proto.arrays import Array
from skill_proto.files.atomic_file import replace_bytes
from skill_robots.control_box.model.chain import Chain

FLAGS = ("-std=c99", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror")
"""Options of the compiler. ``-ffast-math`` is missing on purpose: it changes results."""

COMPILE_TIMEOUT_S = 60.0
"""Longest duration of a compilation [s]."""


class ModelLibraryError(RuntimeError):
    """The library cannot be made; the text names the reason and the fix."""


def fer_model_library(chain: Chain, cache: Path | None = None) -> bytes:
    """Returns the library for Linux on x86-64; compiles it if the cache has none.

    Args:
        chain: Frames and inertias of the arm.
        cache: Folder for compiled libraries; None for the user's cache folder.

    Raises:
        ModelLibraryError: there is no C compiler, or it fails.
    """
    machine = f"{platform.system()} {platform.machine()}"
    if machine != "Linux x86_64":
        raise ModelLibraryError(
            f"the model library is made for Linux on x86-64 only; this machine is {machine}"
        )
    source = resources.files("skill_robots.control_box.model").joinpath("fer_model.c").read_text()
    constants = fer_constants(chain)
    key = hashlib.sha256("\0".join((source, constants, *FLAGS)).encode()).hexdigest()
    path = (cache or cache_folder()) / f"fer_model-{key[:32]}.so"
    try:
        return path.read_bytes()
    except OSError:
        library = _compile(source, constants)
    _keep(path, library)
    return library


def cache_folder() -> Path:
    """Returns the folder of compiled libraries in the user's cache (XDG base directories)."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "skill-serve" / "control-box"


def fer_constants(chain: Chain) -> str:
    """Returns the content of ``fer_constants.h``."""
    links = chain.links
    lines = [
        "/* Generated from the robot's MuJoCo model. */",
        _array("JOINT_POSITION[7][3]", [link.position for link in links]),
        _array("JOINT_ROTATION[7][9]", [link.rotation for link in links]),
        f"static const double FLANGE[3] = {_braces(chain.flange)};",
        f"static const double LINK_MASS[7] = {{{', '.join(repr(link.mass) for link in links)}}};",
        _array("LINK_CENTRE[7][3]", [link.centre for link in links]),
        _array("LINK_INERTIA[7][9]", [link.inertia for link in links]),
    ]
    return "\n".join(lines) + "\n"


def _array(declaration: str, rows: list[Array]) -> str:
    content = ",\n  ".join(map(_braces, rows))
    return f"static const double {declaration} = {{\n  {content}}};"


def _braces(values: Array) -> str:
    """Returns the numbers of an array, row-major; ``repr`` keeps all their digits."""
    return "{" + ", ".join(map(repr, values.ravel().tolist())) + "}"


def _compile(source: str, constants: str) -> bytes:
    compiler = shutil.which("cc")
    if compiler is None:
        raise ModelLibraryError(
            "there is no C compiler 'cc'; install one (Debian: apt install gcc) and start again"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "fer_model.c").write_text(source)
        (folder / "fer_constants.h").write_text(constants)
        command = [compiler, *FLAGS, "fer_model.c", "-lm", "-o", "fer_model.so"]
        try:
            subprocess.run(
                command, cwd=folder, check=True, capture_output=True, timeout=COMPILE_TIMEOUT_S
            )
            return (folder / "fer_model.so").read_bytes()
        except subprocess.CalledProcessError as error:
            text = error.stderr.decode(errors="replace").strip()
            raise ModelLibraryError(f"{compiler} cannot compile fer_model.c: {text}") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ModelLibraryError(f"{compiler} cannot compile fer_model.c: {error}") from None


def _keep(path: Path, library: bytes) -> None:
    """Writes the library to the cache, whole or not at all; the cache is no condition."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, library)
