"""Compose: what a program gives a client, made into a message or refused before it is sent."""

from __future__ import annotations

from typing import TypedDict, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from skill_proto.messages import Message
from skill_proto.validation_text import describe_errors
from skill_runtime.client.errors import CommandRefusedError

M = TypeVar("M", bound=Message)


class Hand(TypedDict, total=False):
    """What a command says of the hand; nothing leaves it to the policy, or as it is."""

    gripper_width: float | None
    """Opening [m]."""
    grasp: bool
    """Close on the object and hold by force."""


def build(kind: type[M], **fields: object) -> M:
    """A message of these fields.

    Raises:
        CommandRefusedError: ``invalid``, as the server would say.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise CommandRefusedError("invalid", describe_errors(error), "") from None


def vector(values: ArrayLike) -> tuple[float, ...]:
    """The numbers of a vector.

    Raises:
        CommandRefusedError: ``invalid``, it is no vector.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise CommandRefusedError(
            "invalid", f"expected a vector, got an array of shape {array.shape}", ""
        )
    return tuple(array.tolist())
