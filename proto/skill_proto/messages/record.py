"""Messages of the telemetry socket for a recorder, each on a topic of its own.

A message has two frames: the topic, which is its ``type``, and the JSON. Subscribers to the empty
topic receive telemetry alone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from skill_proto.messages.base import Outbound
from skill_proto.messages.replies import ErrorCode


class PolicyStep(Outbound):
    """One inference of the policy: its inputs and its action.

    Each number is the shortest decimal that is exact in single precision. The policy takes its
    inputs in single precision, so the inference can be repeated to the last bit.
    """

    type: Literal["policy_step"] = "policy_step"
    step: int
    """``policy_steps`` of the telemetry after this step; a gap is the number of lost messages."""
    time: float
    """Server time of the tick [s]."""
    tick: int
    state_age: int
    """Steps since the recurrent state and the previous action were reset; 0 directly after it."""
    observation: tuple[float, ...]
    """``(O,)``, fields in the order of the manifest, raw units."""
    previous_action: tuple[float, ...] | None
    """``(A,)`` in [-1, 1], the applied action; None if it is that of the last step."""
    skill: tuple[float, ...] | None
    """``(Z,)`` skill of the command; None under a goal."""
    goal: tuple[float, ...] | None
    """``(G,)`` goal of the command; None under a skill."""
    action: tuple[float, ...]
    """``(A,)`` in [-1, 1]."""


class Commanded(Outbound):
    """A command that the server has accepted or refused."""

    type: Literal["commanded"] = "commanded"
    seq: int
    """Increases by one with each such message of one gateway process."""
    time: float
    """Server time of the reply [s]."""
    client: str
    """Name in ``hello`` or in ``acquire`` on this connection; '' before either."""
    lease: str | None
    """Short digest of the lease's token, which tells leases apart; None without a token."""
    command: dict[str, object]
    """The command without its token; only its ``type`` if it could not be read."""
    result: Literal["ok"] | ErrorCode
    message: str = ""
    """Reason of a refusal."""


RECORD: TypeAdapter[PolicyStep | Commanded] = TypeAdapter(
    Annotated[PolicyStep | Commanded, Field(discriminator="type")]
)
"""Reads the second frame of a message with a topic: ``RECORD.validate_json(frame)``."""
