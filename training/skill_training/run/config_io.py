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
from skill_training.recipes.registry import RECIPES, default_config


def config_from_json(text: str) -> TrainConfig:
    """Reads the text of :func:`skill_training.config.config_to_json`.

    A setting that is missing gets its default, e.g. in the config.json of an older release.

    Raises:
        ConfigError: the text is not JSON, or a setting is unknown or wrong; the message names it.
    """
    plain, settings = _parts(text)
    name = settings.pop("name", None)
    types = {known: kind for recipe in RECIPES for known, kind in recipe.config_types.items()}
    if not isinstance(name, str) or name not in types:
        raise ConfigError(
            f"not a configuration of skill-train: algorithm.name is {name!r}, which is none of "
            f"{', '.join(types)}"
        )
    try:
        algorithm = TypeAdapter(types[name]).validate_python(_current(settings))
        kind = type(default_config(name))
        return TypeAdapter(kind).validate_python({**plain, "algorithm": algorithm})
    except ValidationError as error:
        raise ConfigError(f"not a valid configuration: {describe_errors(error)}") from None


def _parts(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the entries of a configuration, and those of its algorithm.

    Raises:
        ConfigError: the text is not JSON, or has no algorithm.
    """
    try:
        plain: object = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"not a configuration of skill-train, but broken JSON: {error}") from None
    entries = cast("dict[str, Any]", plain) if isinstance(plain, dict) else {}
    settings: object = entries.get("algorithm")
    if not isinstance(settings, dict):
        raise ConfigError(
            "not a configuration of skill-train, which is a JSON object with the objects "
            "algorithm, task and run"
        )
    return entries, dict(cast("dict[str, Any]", settings))


def _current(algorithm: dict[str, Any]) -> dict[str, Any]:
    """Returns settings with today's names. Older releases gave phi's inputs as field and parts."""
    found: object = algorithm.get("representation")
    seen = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    if "field" not in seen or not isinstance(seen.get("components"), list):
        return algorithm
    inputs = [f"{seen['field']}.{component}" for component in seen["components"]]
    kept = {key: value for key, value in seen.items() if key not in ("field", "components")}
    return algorithm | {"representation": {"inputs": inputs, **kept}}


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
