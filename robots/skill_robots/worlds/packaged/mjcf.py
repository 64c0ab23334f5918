"""MJCF files of other packages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import mujoco

from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.packaged.table import PackagedBody


def packaged_path(body: PackagedBody) -> Path:
    """Returns the MJCF file of a body.

    Raises:
        WorldError: the package is not installed, or has no such file.
    """
    found = find_spec(body.package)  # finds the folder without importing the package
    if found is None or found.origin is None:
        raise WorldError(
            f"{body.title} needs files of the package {body.distribution}, which is not installed; "
            f"run: pip install {body.distribution}"
        )
    path = Path(found.origin).parent / body.mjcf
    if not path.is_file():
        raise WorldError(
            f"the installed {body.distribution} has no {body.mjcf}; install another version"
        )
    return path


def packaged_spec(body: PackagedBody) -> mujoco.MjSpec:
    """Returns the editable model of a body, without the dropped parts and without sensors.

    Raises:
        WorldError: as for :func:`packaged_path`; or the file has no part with a dropped name.
    """
    spec = mujoco.MjSpec.from_file(str(packaged_path(body)))
    for sensor in list(spec.sensors):
        spec.delete(sensor)
    for name in body.dropped:
        part = spec.body(name) or spec.geom(name)
        if part is None:
            raise WorldError(
                f"{body.mjcf} of the installed {body.distribution} has no body or geom {name!r}, "
                f"which {body.title} leaves out; install another version (docs/worlds.md has one "
                "that works)"
            )
        spec.delete(part)
    return spec
