"""The world of a policy file.

A policy file is data: it must not choose which code a program imports, or what that code is called
with. Every program that builds the world of a policy file reads it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from skill_proto.validation_text import describe_errors
from skill_robots.worlds.errors import UntrustedWorldError, WorldError
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.registry import (
    WorldConfig,
    default_config,
    is_given_by_name,
    world_name,
)


def trained_config(
    name: str, settings: Mapping[str, Any], source: str, *, is_named: bool
) -> WorldConfig:
    """Returns the world in which a policy was trained. It imports nothing.

    Args:
        name: Name of the world in the policy's manifest.
        settings: Its settings there; those that are missing are those without options.
        source: The policy, for messages.
        is_named: Whether the user has named this world. Without that it must be built in or
            registered with Gymnasium, and have no arguments.

    Raises:
        UntrustedWorldError: the world is code of a stranger, or has arguments, and is not named.
        WorldError: the settings are invalid or those of another world.
    """
    default = default_config(name)
    try:
        config = TypeAdapter(type(default)).validate_python(asdict(default) | dict(settings))
    except ValidationError as error:
        raise WorldError(
            f"the settings of the world {name!r} in {source}: {describe_errors(error)}"
        ) from None
    if world_name(config) != name:
        raise WorldError(
            f"the manifest of {source} contradicts itself: its world is {name!r}, and its settings "
            f"are those of {world_name(config)!r}"
        )
    chosen = list(config.settings) if isinstance(config, GymnasiumConfig) else []
    if not is_named and (chosen or not is_given_by_name(name)):
        raise UntrustedWorldError(
            f"{source} was trained in the world {name!r}"
            + (f" with the settings {chosen}" if chosen else ", which is code of your own")
        )
    return config
