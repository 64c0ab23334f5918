"""Files and metadata of the distributions."""

from __future__ import annotations

import re
import subprocess
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from tests.packages.conftest import Distributions
from tests.support.environments import CLIENT, ROOT

pytestmark = pytest.mark.slow

NOT_IN_SDIST = (".ci/", ".gitignore", "packages/", "tests/packages/")


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name).decode()


def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    command = ["git", "-C", str(ROOT), "ls-files"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_sdist_has_every_file_of_the_repository(distributions: Distributions) -> None:
    with tarfile.open(distributions.serve_sdist) as archive:
        packed = {name.split("/", 1)[1] for name in archive.getnames()}
    missing = [
        name
        for name in tracked()
        if name not in packed and not name.startswith(NOT_IN_SDIST) and (ROOT / name).exists()
    ]
    assert missing == []


def test_the_wheel_has_the_packages_and_the_models(distributions: Distributions) -> None:
    packed = names(distributions.serve_wheel)
    models = {f"skill_runtime/models/{path.name}" for path in (ROOT / "models").iterdir()}
    assert models <= packed
    sources = ("proto/", "robots/", "runtime/", "training/")
    packages = {name.split("/", 1)[1] for name in tracked() if name.startswith(sources)}
    assert packages - packed == set()
    tops = {name.split("/")[0] for name in packed}
    assert tops == {
        "skill_proto",
        "skill_robots",
        "skill_runtime",
        "skill_training",
        next(name for name in tops if name.endswith(".dist-info")),
    }


def test_the_client_has_proto_and_client_and_no_file_of_the_server(
    distributions: Distributions,
) -> None:
    client, serve = names(distributions.client_wheel), names(distributions.serve_wheel)
    assert client & serve == set()
    inner = {
        name.removeprefix("skill_client_packages/")
        for name in client
        if name.startswith("skill_client_packages/")
    }
    assert inner < serve
    assert {name for name in serve if name.startswith("skill_proto/")} < inner
    parts = {"/".join(name.split("/")[:2]) for name in inner if name.startswith("skill_runtime/")}
    assert parts == {
        "skill_runtime/__init__.py",
        "skill_runtime/client",
        "skill_runtime/py.typed",
        "skill_runtime/security",
    }


def test_both_have_one_version_and_one_licence() -> None:
    serve, client = (
        tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        for folder in (ROOT, CLIENT)
    )
    assert client["version"] == serve["version"]
    assert client["requires-python"] == serve["requires-python"]
    needed = dict.fromkeys(re.split("[><=]", line)[0] for line in client["dependencies"])
    assert list(needed) == ["numpy", "pydantic", "pyzmq"]
    assert set(client["dependencies"]) <= set(serve["dependencies"])
    assert (CLIENT / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_links_of_the_package_index_are_absolute_and_lead_into_the_repository(
    distributions: Distributions,
) -> None:
    page = Parser().parsestr(metadata(distributions.serve_wheel)).get_payload()
    assert isinstance(page, str)
    links = re.findall(r'\]\(([^)]+)\)|<img src="([^"]+)"', page)
    targets = [first or second for first, second in links]
    assert len(targets) > 20
    base = re.compile(r"https://github\.com/skill-serve/skill-serve/(?:blob|raw)/main/([^#]+)")
    for target in targets:
        inside = base.match(target)
        assert target.startswith("https://"), target
        assert inside is None or (ROOT / inside[1]).exists(), target


def test_the_classifiers_name_the_versions_of_python(distributions: Distributions) -> None:
    text = metadata(distributions.serve_wheel)
    assert "Requires-Python: >=3.11" in text
    for version in ("3.11", "3.12", "3.13"):
        assert f"Classifier: Programming Language :: Python :: {version}" in text
