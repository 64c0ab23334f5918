"""The command line of skill-serve; test_serve.py has its texts."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
import tyro

from skill_runtime.cli.serve_options import ServeOptions, check_options
from skill_runtime.console.flags import UsageError


def parse(*words: str) -> ServeOptions:
    return tyro.cli(ServeOptions, args=["--model", "a.onnx", *words])


def test_the_defaults_can_be_served() -> None:
    arguments = parse()
    check_options(arguments)
    assert arguments == ServeOptions(model=Path("a.onnx"))


def test_flags_have_no_prefix_of_their_group() -> None:
    arguments = parse("--port", "7000", "--mass", "0.5", "--servo-rate", "500")
    assert arguments.addresses.port == 7000
    assert arguments.scene.mass == 0.5
    assert arguments.timing.servo_rate == 500.0


def test_the_arm_may_hold_for_ever() -> None:
    check_options(parse("--stop-after", "inf"))
    with pytest.raises(UsageError, match="--stop-after"):
        check_options(parse("--stop-after", "0"))


def test_every_option_has_a_name_of_its_own() -> None:
    names: list[str] = []
    for field in fields(ServeOptions):
        group = get_type_hints(ServeOptions)[field.name]
        names += [part.name for part in fields(group)] if is_dataclass(group) else [field.name]
    assert len(names) == len(set(names))
