"""The distributions, built once."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.environments import CLIENT, ROOT, build


@dataclass(frozen=True, kw_only=True)
class Distributions:
    """Files that were built from this repository."""

    serve_sdist: Path
    serve_wheel: Path
    """Built from the sdist, as package builders do."""
    client_sdist: Path
    client_wheel: Path


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    folder = tmp_path_factory.mktemp("distributions")
    serve_sdist, serve_wheel = _build(ROOT, folder / "serve")
    client_sdist, client_wheel = _build(CLIENT, folder / "client")
    return Distributions(
        serve_sdist=serve_sdist,
        serve_wheel=serve_wheel,
        client_sdist=client_sdist,
        client_wheel=client_wheel,
    )


def _build(project: Path, folder: Path) -> tuple[Path, Path]:
    """Returns the sdist of a project, and the wheel that is built from it."""
    (sdist,) = build(project, folder, "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (wheel,) = build(folder / sdist.name.removesuffix(".tar.gz"), folder / "wheel", "wheel")
    return sdist, wheel
