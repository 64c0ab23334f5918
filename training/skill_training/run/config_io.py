"""Configurations as text: read from config.json, and written as a command."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from skill_proto.validation_text import describe_errors
from skill_training.config import TrainConfig, differences
from skill_training.errors import ConfigError
from skill_training.recipes.registry import default_config, recipe_of


def config_from_json(text: str) -> TrainConfig:
    """Reads the text of :func:`skill_training.config.config_to_json`.

    A setting that is missing gets its default, e.g. in the config.json of an older release.

    Raises:
        ConfigError: the text is not JSON, or a setting is unknown or wrong; the message names it.
    """
    try:
        plain = json.loads(text)
        settings = _current(dict(plain.pop("algorithm")))
        name = settings.pop("name")
        algorithm = TypeAdapter(recipe_of(name).config_types[name]).validate_python(settings)
        kind = type(default_config(name))
        return TypeAdapter(kind).validate_python({"algorithm": algorithm, **plain})
    except ValidationError as error:
        raise ConfigError(f"not a valid configuration: {describe_errors(error)}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"not a configuration of skill-train: {error!r}") from None


def _current(algorithm: dict[str, Any]) -> dict[str, Any]:
    """Returns settings with today's names. Older releases gave phi's inputs as field and parts."""
    seen = algorithm.get("representation")
    if isinstance(seen, dict) and "field" in seen:
        older = cast("dict[str, Any]", seen)
        inputs = [f"{older['field']}.{component}" for component in older["components"]]
        kept = {key: value for key, value in older.items() if key not in ("field", "components")}
        return algorithm | {"representation": {"inputs": inputs, **kept}}
    return algorithm


def shortest_command(config: TrainConfig) -> str:
    """Returns the shortest command that gives this configuration. It always contains the seed.

    It has no preset if that is one of another release: then it gives the same settings by flags.
    """
    name = config.algorithm_name
    try:
        default = default_config(name, config.world, config.preset)
    except ConfigError:
        if config.preset is None:
            raise
        return shortest_command(replace(config, preset=None))
    default = replace(default, run=replace(default.run, seed=config.run.seed))
    start = ["skill-train", name]
    if config.preset is not None:
        start += ["--preset", config.preset]
    elif config.world != default_config(name).world:
        start += ["--world", str(config.world)]
    start += ["--seed", str(config.run.seed)]
    return shlex.join(start + flags_between(default, config))


def flags_between(before: TrainConfig, after: TrainConfig) -> list[str]:
    """Returns the flags that change one configuration of an algorithm into another."""
    flags: list[str] = []
    for path, (_, now) in differences(before, after).items():
        flags += _flag(path, after.algorithm_name, now)
    return flags


def _flag(path: str, algorithm: str, value: object) -> list[str]:
    path = path.removeprefix("run.")
    if path.startswith("algorithm."):
        path = f"{algorithm}.{path.removeprefix('algorithm.')}"
    flag = path.replace("_", "-")
    if isinstance(value, bool):
        group, dot, name = flag.rpartition(".")
        return [f"--{flag}" if value else f"--{group}{dot}no-{name}"]
    return [f"--{flag}", *_words(value)]


def _words(value: object) -> list[str]:
    """Returns a value in tyro's syntax; pairs within a list are flattened."""
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [word for item in items for word in _words(item)]
    return [str(value)]
