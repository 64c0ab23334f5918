"""Arguments of a client's call, converted to a message or refused before anything is sent."""

from __future__ import annotations

from typing import TypedDict, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from skill_proto.messages import Message
from skill_proto.validation_text import describe_errors
from skill_runtime.client.errors import CommandRefusedError

M = TypeVar("M", bound=Message)


class GripperFields(TypedDict, total=False):
    """The gripper's part of a motion command; by default unchanged, or controlled by the policy."""

    gripper_width: float | None
    """Gripper width [m]."""
    grasp: bool
    """Whether the gripper closes on the object and holds it by force."""


def make_request(kind: type[M], **fields: object) -> M:
    """Returns a message with these fields.

    Raises:
        CommandRefusedError: ``invalid``, the code with which the server would refuse the message.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise CommandRefusedError("invalid", describe_errors(error), "") from None


def to_vector(values: ArrayLike) -> tuple[float, ...]:
    """Converts an array of one dimension to a tuple.

    Raises:
        CommandRefusedError: ``invalid``, the array does not have one dimension.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1:
        raise CommandRefusedError(
            "invalid", f"expected a vector, got an array of shape {array.shape}", ""
        )
    return tuple(array.tolist())
