"""Settings that a session may change: length, hardware and intervals, but not the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from skill_proto.validation_text import describe_errors
from skill_training.config import RunSettings, TrainConfig
from skill_training.errors import ConfigError

CHANGEABLE = (
    "env_steps",
    "device",
    "matmul",
    "threads",
    "log_interval",
    "eval_interval",
    "checkpoint_interval",
    "keep_best",
)
"""Run settings that may be given beside --resume."""


def flags() -> str:
    """Returns the flags that may be given beside --resume, for messages."""
    return ", ".join(_flag(name) for name in CHANGEABLE)


def requested(words: Sequence[str], run: RunSettings) -> dict[str, Any]:
    """Returns the settings that a command line with --resume changes, by name.

    Args:
        words: The words of the command line.
        run: The run settings that they give.

    Raises:
        ConfigError: another flag is given.
    """
    given = [word.partition("=")[0] for word in words if word.startswith("--")]
    names = [flag[2:].replace("-", "_") for flag in given if flag != "--resume"]
    others = [_flag(name) for name in names if name not in CHANGEABLE]
    if others:
        raise ConfigError(
            f"--resume continues a run with its own settings; leave out {', '.join(others)}. "
            f"Only these flags may be given beside it: {flags()}"
        )
    return {name: getattr(run, name) for name in names}


def changed(config: TrainConfig, changes: Mapping[str, Any]) -> TrainConfig:
    """Returns the configuration with other run settings.

    Raises:
        ConfigError: a setting is not of :data:`CHANGEABLE`, or its value is out of range.
    """
    others = changes.keys() - set(CHANGEABLE)
    if others:
        raise ConfigError(
            f"a run keeps its {', '.join(sorted(others))}; a session may change only "
            f"{', '.join(CHANGEABLE)}"
        )
    try:
        return replace(config, run=replace(config.run, **changes))
    except ValidationError as error:
        raise ConfigError(describe_errors(error)) from None


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
