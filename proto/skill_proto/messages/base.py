"""The fields that messages share, and the types of their values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field

PROTOCOL_VERSION = 1
"""``v`` of every message; a server refuses any other version."""

MAX_ID = 2**53
"""Largest integer that every JSON library represents exactly."""


def _not_a_boolean(value: object) -> object:
    """Refuses ``true`` and ``1.0``, which compare equal to 1.

    Raises:
        ValueError: the value is not an integer.
    """
    if isinstance(value, bool | float):
        raise ValueError("expected an integer")
    return value


Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=256)]
Identifier = Annotated[str, Field(min_length=1, max_length=64)]
Vector = Annotated[tuple[Finite, ...], Field(min_length=1, max_length=1024), FailFast()]
Mode = Literal["hold", "skill", "goal", "servo", "stopped", "fault"]
GoalStatus = Literal["approaching", "reached", "no_progress"]
FaultClass = Literal["policy", "arm", "contact", "communication", "tracker", "internal", "outside"]


class Message(BaseModel):
    """The fields of every message."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    v: Annotated[Literal[1], BeforeValidator(_not_a_boolean)] = PROTOCOL_VERSION
    id: Annotated[int, Field(ge=0, le=MAX_ID)] = 0
    """Chosen by the sender; the reply repeats it."""


class Inbound(Message):
    """A message to the server."""

    instance: Identifier | None = None
    """The server that is meant, by the ``instance`` of its messages; another server refuses the
    message. None: any server."""


class Outbound(Message):
    """A message of the server; clients ignore fields that a newer server adds."""

    model_config = ConfigDict(extra="ignore")

    instance: str = ""
    """Random name of this run of the server. A client that receives another one than before is
    connected to another server, or the server was started again."""


class ArraySpec(BaseModel):
    """Describes one raw frame after the header: little-endian, C order."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    dtype: Literal["float32", "float64"]
    shape: Annotated[tuple[Annotated[int, Field(ge=0, le=65536)], ...], Field(max_length=4)]
