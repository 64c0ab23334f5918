"""The Dockerfile: its images run without root, with the programs and ports of this project."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from skill_proto.files.shipped_models import shipped_models
from skill_proto.ports import COMMAND_PORT, STOP_PORT_OFFSET, TELEMETRY_PORT_OFFSET

ROOT = Path(__file__).parents[2]


def stages() -> dict[str, dict[str, list[str]]]:
    """Returns the instructions of each stage, by their word."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            current = found.setdefault(rest.split()[-1], {})
        current.setdefault(word, []).append(rest)
    return found


@pytest.mark.parametrize("stage", ["runtime", "training"])
def test_the_program_exists_and_its_user_is_not_root(stage: str) -> None:
    instructions = stages()[stage]
    programs = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert json.loads(instructions["ENTRYPOINT"][-1])[0] in programs["project"]["scripts"]
    user = int(instructions["USER"][-1])
    assert user >= 1000
    assert any(f"--uid {user} " in run for run in instructions["RUN"])


def test_the_ports_are_those_that_are_served_by_default() -> None:
    ports = [COMMAND_PORT + offset for offset in (0, TELEMETRY_PORT_OFFSET, STOP_PORT_OFFSET)]
    assert [int(port) for port in stages()["runtime"]["EXPOSE"][-1].split()] == ports


def test_every_copied_file_exists() -> None:
    for instructions in stages().values():
        for copied in instructions.get("COPY", []):
            for source in copied.split()[:-1]:
                assert (ROOT / source).exists()


def test_the_model_of_the_command_is_in_the_package_that_the_image_installs() -> None:
    command = json.loads(stages()["runtime"]["CMD"][-1])
    assert command[command.index("--model") + 1] in shipped_models()
    assert "models models" in stages()["base"]["COPY"]


def test_every_folder_of_the_wheel_is_copied_before_it_is_built() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    copied = " ".join(stages()["base"]["COPY"]).split()
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {folder.split("/")[0] for folder in wheel["only-include"]} <= set(copied)
