"""Reads the metadata that mjlab, and exports of Isaac Lab that follow it, write into ONNX files.

The entries are texts, lists are separated by commas, and numbers have three decimals
(``attach_metadata_to_onnx`` in mjlab's ``mjlab/rl/exporter_utils.py``). They are parsed as names
and numbers; an entry that is neither is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

MAX_ENTRIES = 4096
"""Longest list that is read."""


@dataclass(frozen=True, kw_only=True)
class ExportedMetadata:
    """The entries of an export; an empty tuple where an entry is absent or not readable."""

    joint_names: tuple[str, ...] = ()
    default_joint_pos: tuple[float, ...] = ()
    """[rad], in the order of ``joint_names``."""
    joint_stiffness: tuple[float, ...] = ()
    """[N m/rad]."""
    joint_damping: tuple[float, ...] = ()
    """[N m s/rad]."""
    action_scale: tuple[float, ...] = ()
    """Joint displacement from the default position for an output of 1 [rad]; one number or one per
    actuated joint."""
    observation_names: tuple[str, ...] = ()
    observation_history_lengths: tuple[float, ...] = ()
    command_names: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the file has none of these entries."""
        return self == ExportedMetadata()


def read_metadata(entries: Mapping[str, str]) -> ExportedMetadata:
    """Returns the entries of a file's ``metadata_props``."""
    texts = {key: _names(entries.get(key, "")) for key in ExportedMetadata.__dataclass_fields__}
    return ExportedMetadata(
        joint_names=texts["joint_names"],
        default_joint_pos=_numbers(texts["default_joint_pos"]),
        joint_stiffness=_numbers(texts["joint_stiffness"]),
        joint_damping=_numbers(texts["joint_damping"]),
        action_scale=_numbers(texts["action_scale"]),
        observation_names=texts["observation_names"],
        observation_history_lengths=_numbers(texts["observation_history_lengths"]),
        command_names=texts["command_names"],
    )


def _names(text: str) -> tuple[str, ...]:
    """Returns the items of a list; other writers put it in brackets and its items in quotes."""
    items = (item.strip(" \t\r\n'\"") for item in text.strip().strip("[]()").split(","))
    return tuple(item for item in items if item)[:MAX_ENTRIES]


def _numbers(items: tuple[str, ...]) -> tuple[float, ...]:
    try:
        numbers = tuple(float(item) for item in items)
    except ValueError:
        return ()
    return numbers if all(math.isfinite(number) for number in numbers) else ()
