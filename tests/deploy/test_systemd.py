"""The systemd template of the policy service, by systemd's own linter and by its flags."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import tyro

from skill_runtime.cli.policies.options import PolicyServiceOptions, read_models
from skill_runtime.processes.service_only.serving import SERVICE_SILENCE_S

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "skill-service@.service"
ENVIRONMENT = ROOT / "deploy" / "systemd" / "service.env.example"

MAX_EXPOSURE = 2.0
"""Highest exposure level that systemd-analyze may find: 0 is locked up, 10 is unprotected."""


class _Options(dict[str, str]):
    """Options of a unit: a key that is given again is joined, as systemd does for lists."""

    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, list) and key in self:
            value = [*self[key], *value]  # type: ignore[assignment]
        super().__setitem__(key, value)  # type: ignore[assignment]


def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, delimiters="=", dict_type=_Options)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT, encoding="utf-8")
    return parser


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The unit with a program that exists on this machine, for the linter."""
    text = UNIT.read_text(encoding="utf-8")
    program = text.split("ExecStart=")[1].split()[0]
    path = tmp_path / UNIT.name
    path.write_text(text.replace(program, "/bin/true"), encoding="utf-8")
    return path


def analyze(*arguments: str) -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_finds_no_fault(installed: Path) -> None:
    assert analyze("verify", "--man=no", str(installed)) == ""


def test_systemd_finds_little_exposure(installed: Path) -> None:
    report = analyze("security", "--offline=yes", "--no-pager", str(installed))
    level = report.rsplit("Overall exposure level", 1)[1].split(":")[1].split()[0]
    assert float(level) <= MAX_EXPOSURE


def test_the_service_has_no_rights_that_it_does_not_need() -> None:
    service = unit()["Service"]
    expected = {
        "DynamicUser": "yes",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateDevices": "yes",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "",
        "RestrictNamespaces": "yes",
        "SystemCallArchitectures": "native",
        "UMask": "0077",
    }
    assert {key: service[key].strip() for key in expected} == expected
    assert set(service["RestrictAddressFamilies"].split()) == {"AF_INET", "AF_INET6", "AF_UNIX"}


def test_a_service_that_dies_or_hangs_is_started_again() -> None:
    service = unit()["Service"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "on-failure"
    assert float(service["WatchdogSec"]) > SERVICE_SILENCE_S
    assert service["RestartPreventExitStatus"] == "2"


def test_the_flags_are_those_of_the_program() -> None:
    options = tyro.cli(PolicyServiceOptions, args=command(port=5565))
    assert options.service_only
    assert options.endpoint == "tcp://0.0.0.0:5565"
    assert options.keys == Path("/etc/skill-serve/keys")
    assert [name for name, _ in read_models(options)] == ["csf_panda"]


def command(port: int) -> list[str]:
    """Returns the flags that systemd passes with the example of the settings."""
    settings = dict(
        line.split("=", 1)
        for line in ENVIRONMENT.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    text = unit()["Service"]["ExecStart"].replace("\\\n", " ").replace("%i", str(port))
    for name, value in settings.items():
        value = shlex.split(value)[0] if value else ""
        text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    words = shlex.split(text)
    assert words[0].endswith("/skill-serve")
    model = ROOT / "models" / "csf_panda.onnx"
    return [str(model) if word.endswith(model.name) else word for word in words[1:]]
