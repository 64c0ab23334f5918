"""Out-of-range values on the command line, named by their flags.

tyro prints a ValidationError of a nested dataclass with names of its own. Here the constructors of
settings raise :class:`InvalidSettings` instead, which tyro passes on unchanged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import ValidationError
from pydantic.dataclasses import is_pydantic_dataclass
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructTypeInfo

from skill_proto.validation_text import clip
from skill_training.config import TrainConfig


class InvalidSettings(Exception):  # noqa: N818  # caught in the command line, never shown
    """A settings class refused its values."""

    def __init__(self, kind: type, error: ValidationError) -> None:
        super().__init__(kind.__name__)
        self.kind = kind
        self.error = error


def settings_registry() -> ConstructorRegistry:
    """Returns a tyro registry whose settings raise :class:`InvalidSettings` if out of range."""
    registry = ConstructorRegistry()
    asking_tyro = False

    def rule(info: StructTypeInfo) -> StructConstructorSpec | None:
        nonlocal asking_tyro
        if asking_tyro or not is_pydantic_dataclass(info.type):
            return None
        asking_tyro = True
        try:
            spec = ConstructorRegistry.get_struct_spec(info)
        finally:
            asking_tyro = False
        if not isinstance(spec, StructConstructorSpec):
            return None
        return dataclasses.replace(spec, instantiate=partial(_construct, info.type))

    registry.struct_rule(rule)
    return registry


def flag_errors(invalid: InvalidSettings, config: TrainConfig) -> str:
    """Returns the wrong values in one line: ``--csf.discount 1.5: should be less than 1``.

    Args:
        invalid: The refusal.
        config: Any configuration of the command. Its structure gives the flag of each setting.
    """
    groups = {
        config.algorithm_name: config.algorithm,
        "task": config.task,
        "": config.run,
    }
    prefix = next(
        found for name, group in groups.items() for found in _prefixes(group, name, invalid.kind)
    )
    lines: list[str] = []
    for item in invalid.error.errors(include_url=False):
        flag = ".".join(part for part in (prefix, str(item["loc"][0])) if part)
        flag = f"--{flag.replace('_', '-')}"
        if item["type"] == "too_short":
            least = item.get("ctx", {}).get("min_length", 1)
            lines.append(f"{flag}: give {least} or more values")
            continue
        problem = item["msg"].removeprefix("Input ")
        lines.append(f"{flag} {clip(str(item['input']), 60)}: {problem}")
    return "; ".join(lines)


def _construct(kind: Callable[..., Any], /, **values: object) -> object:
    try:
        return kind(**values)
    except ValidationError as error:
        assert isinstance(kind, type)
        raise InvalidSettings(kind, error) from None


def _prefixes(settings: Any, path: str, kind: type) -> list[str]:  # noqa: ANN401  # any settings
    """Returns the paths under ``path`` at which settings of this class are."""
    if type(settings) is kind:
        return [path]
    return [
        found
        for field in dataclasses.fields(settings)
        if is_pydantic_dataclass(type(nested := getattr(settings, field.name)))
        for found in _prefixes(nested, f"{path}.{field.name}".removeprefix("."), kind)
    ]
