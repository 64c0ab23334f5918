"""Flags that are wrong: the error names flag, range, value and fix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pytest
import tyro

from skill_runtime.console.flags import (
    UsageError,
    check_cpu,
    check_number,
    check_object,
    optional_flags,
)
from skill_runtime.realtime.cpus import online_cpus


@pytest.mark.parametrize("value", [None, 1, 2.5, 3])
def test_a_value_in_the_range_is_accepted(value: float | None) -> None:
    check_number("speed", value, 1, 3)


@pytest.mark.parametrize("value", [0, 3.001, math.nan, math.inf])
def test_a_value_outside_the_range_is_refused(value: float) -> None:
    with pytest.raises(UsageError) as caught:
        check_number("speed", value, 1, 3, unit="m/s", fix="or walk")
    assert str(caught.value) == (
        f"--speed takes a number from 1 to 3 m/s, got {value:g}; give one in that range, or walk"
    )


def test_an_integer_is_printed_in_full() -> None:
    with pytest.raises(UsageError, match="from 0 to 4294967295, got 4294967296;"):
        check_number("seed", 2**32, 0, 2**32 - 1)


def test_an_object_has_bounds() -> None:
    check_object(None, None)
    check_object(0.8, 0.4)
    with pytest.raises(UsageError, match=r"--mass takes .* kg, got 0; .* omit the flag"):
        check_object(0.0, 0.4)
    with pytest.raises(UsageError, match="--friction takes"):
        check_object(0.8, 11.0)


def test_a_processor_must_exist() -> None:
    check_cpu(None)
    check_cpu(online_cpus()[0])
    with pytest.raises(UsageError, match="--cpu takes one of this machine's processors"):
        check_cpu(4096)


@dataclass
class Options:
    """Flags that may be omitted."""

    mass: tuple[float, float] | None = None
    seed: int | None = 3
    arm: Literal["panda", "fr3"] | None = None
    steps: tuple[int, ...] | None = None


def read(*words: str) -> Options:
    with optional_flags():
        return tyro.cli(Options, prog="program", args=words)


def test_optional_flags_are_read() -> None:
    assert read() == Options()
    given = read("--mass", "1", "2", "--seed", "4", "--arm", "fr3", "--steps", "1", "2", "3")
    assert given == Options(mass=(1.0, 2.0), seed=4, arm="fr3", steps=(1, 2, 3))
    assert read("--seed", "None", "--mass", "None") == Options(seed=None)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--mass", "1"), "Error parsing --mass: FLOAT FLOAT is expected, 2 words; got 1"),
        (("--seed", "x"), "Error parsing --seed: invalid literal for int() with base 10: 'x'"),
    ],
)
def test_a_wrong_word_is_explained_without_the_types_of_python(
    words: tuple[str, ...], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        read(*words)
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert error in text
    assert "NoneType" not in text
    assert "[bold]" not in text


def test_the_help_of_optional_flags_is_that_of_tyro(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        read("--help")
    text = capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        tyro.cli(Options, prog="program", args=["--help"])
    assert capsys.readouterr().out == text
