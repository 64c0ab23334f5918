"""constraints.txt: every extra can be installed with the pinned versions, all of them together."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = {
    canonicalize_name(name): version
    for name, version in (
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith("#")
    )
}


def applies(requirement: Requirement) -> bool:
    marker = requirement.marker
    return marker is None or marker.evaluate({"extra": ""})


def conflict(requirement: Requirement) -> bool:
    """Returns whether a pin excludes what a package needs."""
    pin = PINS.get(canonicalize_name(requirement.name))
    return pin is not None and not requirement.specifier.contains(pin, prereleases=True)


def test_every_requirement_of_the_project_has_a_pin_in_its_range() -> None:
    extras = PROJECT["optional-dependencies"].values()
    texts = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    needed = [Requirement(text) for text in texts]
    foreign = [need for need in needed if need.name != PROJECT["name"] and applies(need)]
    assert [need.name for need in foreign if canonicalize_name(need.name) not in PINS] == []
    assert [str(need) for need in foreign if conflict(need)] == []


def test_no_pin_excludes_what_an_installed_package_needs() -> None:
    found = [
        f"{distribution.name} needs {need}"
        for distribution in metadata.distributions()
        if canonicalize_name(distribution.name) in PINS
        for need in map(Requirement, distribution.requires or ())
        if applies(need) and conflict(need)
    ]
    assert found == []


def test_a_conflict_is_found() -> None:
    assert conflict(Requirement(f"websockets>{PINS['websockets']}"))
    assert not conflict(Requirement("a-package-without-a-pin>1"))
