"""Observation fields and actions of an environment's spaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Space

from skill_proto.arrays import Array
from skill_proto.manifest import ActionPart, ObservationField
from skill_robots.worlds.errors import WorldError

OBSERVATION = "observation"
"""Name of the field of an environment that observes one box."""


def boxes_of(name: str, space: Space[Any]) -> dict[str, Box]:
    """Returns the boxes of an observation space by field, in order.

    Raises:
        WorldError: it has no real-valued observation.
    """
    spaces: Mapping[str, Space[Any]]
    spaces = space.spaces if isinstance(space, Dict) else {OBSERVATION: space}
    boxes: dict[str, Box] = {}
    for key, box in spaces.items():
        if not isinstance(box, Box) or not np.issubdtype(box.dtype, np.floating):
            raise WorldError(
                f"the environment {name!r} observes {key!r} as {box}; this takes real numbers "
                "(Box with a floating-point type), alone or in one Dict. Wrap the environment with "
                "gymnasium.wrappers.TransformObservation"
            )
        boxes[key] = box
    return boxes


def observation_fields(name: str, space: Space[Any]) -> tuple[ObservationField, ...]:
    """Returns a field for each box.

    Raises:
        WorldError: it has no real-valued observation.
    """
    return tuple(
        ObservationField(name=key, size=int(np.prod(box.shape)), unit="1", frame="none")
        for key, box in boxes_of(name, space).items()
    )


def action_range(name: str, space: Space[Any]) -> tuple[Array, Array]:
    """Returns centre and half range of each entry of an action, ``(A,)`` each.

    Raises:
        WorldError: it has no real-valued action with finite bounds, or an entry without a range.
    """
    if not isinstance(space, Box) or not space.is_bounded():
        raise WorldError(
            f"the environment {name!r} acts by {space}; this takes a Box with finite bounds. Wrap "
            "the environment with gymnasium.wrappers.TransformAction"
        )
    low, high = space.low.ravel().astype(np.float64), space.high.ravel().astype(np.float64)
    if not low.size:
        raise WorldError(f"the action of the environment {name!r} has no entry")
    for place in np.flatnonzero(high <= low):
        raise WorldError(
            f"the action of the environment {name!r} has entry {place} with the range "
            f"{low[place]:g} to {high[place]:g}; each entry needs a lower bound below its upper one"
        )
    return (high + low) / 2, (high - low) / 2


def action_part(name: str, space: Space[Any]) -> ActionPart:
    """Returns the action whose -1 and 1 are the bounds of the space.

    Raises:
        WorldError: as :func:`action_range`.
    """
    centre, half_range = action_range(name, space)
    return ActionPart(
        name="actuator_command",
        size=len(centre),
        scale=_plain(half_range),
        offset=_plain(centre),
        unit="1",
        frame="none",
    )


def _plain(values: Array) -> float | tuple[float, ...]:
    """Returns one number if all are equal."""
    numbers = tuple(values.tolist())
    return numbers[0] if len(set(numbers)) == 1 else numbers
