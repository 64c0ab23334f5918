"""Ranges of flags: annotated types beside those of ``skill_training.config``, and their check."""

from __future__ import annotations

import dataclasses
from typing import Annotated, TypeVar, get_type_hints

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from skill_proto.validation_text import clip
from skill_training.config import Count, PositiveFloat, PositiveInt, Rate, Seed, Share, Weight

__all__ = [
    "Angles",
    "Count",
    "Counts",
    "NonNegativeRange",
    "PictureSize",
    "PositiveFloat",
    "PositiveFloats",
    "PositiveInt",
    "PositiveRange",
    "Rate",
    "Rates",
    "Seed",
    "Seeds",
    "Share",
    "Some",
    "range_errors",
]

Value = TypeVar("Value")
_Pair = tuple[float, float]


def _each_once(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Refuses a value that occurs twice."""
    for value in values:
        if values.count(value) > 1:
            raise PydanticCustomError("twice", "{value} occurs twice", {"value": str(value)})
    return values


def _ordered(values: _Pair) -> _Pair:
    """Refuses a lower end above the upper one."""
    if values[0] > values[1]:
        text = "the first number is the lower end, the second the upper; swap them"
        raise PydanticCustomError("ends", text)
    return values


Some = Annotated[tuple[Value, ...], Field(min_length=1), AfterValidator(_each_once)]
"""One or more values, each once: a seed that counts twice would narrow an interval."""

Seeds = Some[Seed]
Counts = Some[PositiveInt]
PositiveFloats = Some[PositiveFloat]
PositiveRange = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_ordered)]
"""Lower and upper end, above 0."""
NonNegativeRange = Annotated[tuple[Weight, Weight], AfterValidator(_ordered)]
"""Lower and upper end, 0 or more."""
_Side = Annotated[int, Field(ge=16, le=8192)]
PictureSize = tuple[_Side, _Side]
"""Width and height [px]."""
Rates = Some[Rate]
"""Shares above 0, up to 1."""
Angles = Some[Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)]]
"""Directions [deg]."""


def range_errors(config: object, prefix: str = "") -> list[str]:
    """Returns a line for each value out of its range: ``--episodes 0: should be ...``.

    Args:
        config: A dataclass. Its annotations have the ranges, and nested dataclasses are checked.
        prefix: Start of the flags of a nested dataclass, such as ``extent.``.
    """
    assert dataclasses.is_dataclass(config)
    assert not isinstance(config, type)
    hints = get_type_hints(type(config), include_extras=True)
    lines: list[str] = []
    for field in dataclasses.fields(config):
        value: object = getattr(config, field.name)
        flag = f"{prefix}{field.name}".replace("_", "-")
        if dataclasses.is_dataclass(value):
            lines += range_errors(value, f"{flag}.")
            continue
        try:
            TypeAdapter[object](hints[field.name]).validate_python(value)
        except ValidationError as error:
            lines.append(f"--{flag} {_given(value)}: {_problem(error)}")
    return lines


def _given(value: object) -> str:
    """Returns a value as on the command line."""
    if isinstance(value, tuple):
        words = [str(one) for one in value]
        return clip(" ".join(words) or "()", 60)
    return clip(str(value), 60)


def _problem(error: ValidationError) -> str:
    """Returns the first problem of a value."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "too_short":
        return f"give {first.get('ctx', {}).get('min_length', 1)} or more values"
    return first["msg"].removeprefix("Input ")
