"""Every message on the wire, one pydantic model each; docs/protocol.md describes them in prose.

Three families: *commands* (client to server, each answered by one *reply*), the *stop*, and the
*telemetry* that the server publishes, with two messages for recorders. Each is a flat JSON object
with its name in ``type``.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from skill_proto.messages.base import (
    MAX_ID,
    PROTOCOL_VERSION,
    ArraySpec,
    FaultClass,
    Finite,
    GoalStatus,
    Identifier,
    Inbound,
    Message,
    Mode,
    Outbound,
    Text,
    Vector,
)
from skill_proto.messages.commands import (
    Acquire,
    Clear,
    Goal,
    Hello,
    Hold,
    Release,
    Renew,
    Reset,
    Scene,
    ServoJoint,
    ServoPose,
    Skill,
    Stop,
    Track,
)
from skill_proto.messages.policy_service import (
    Act,
    Acted,
    ServedPolicy,
    ServiceWelcome,
    Swap,
    Swapped,
)
from skill_proto.messages.record import RECORD, Commanded, PolicyStep
from skill_proto.messages.replies import Error, ErrorCode, Granted, Ok, Welcome
from skill_proto.messages.telemetry import (
    TELEMETRY,
    Connection,
    Headroom,
    ObjectState,
    Telemetry,
    Timing,
)

__all__ = [
    "ANY_MESSAGE",
    "COMMAND",
    "MAX_ID",
    "PROTOCOL_VERSION",
    "RECORD",
    "REPLY",
    "SERVICE_REQUEST",
    "TELEMETRY",
    "Acquire",
    "Act",
    "Acted",
    "ArraySpec",
    "Clear",
    "Command",
    "Commanded",
    "Connection",
    "Error",
    "ErrorCode",
    "FaultClass",
    "Finite",
    "Goal",
    "GoalStatus",
    "Granted",
    "Headroom",
    "Hello",
    "Hold",
    "Identifier",
    "Inbound",
    "Message",
    "Mode",
    "ObjectState",
    "Ok",
    "Outbound",
    "PolicyStep",
    "Release",
    "Renew",
    "Reply",
    "Reset",
    "Scene",
    "ServedPolicy",
    "ServiceWelcome",
    "ServoJoint",
    "ServoPose",
    "Skill",
    "Stop",
    "Swap",
    "Swapped",
    "Telemetry",
    "Text",
    "Timing",
    "Track",
    "Vector",
    "Welcome",
]

Command = Annotated[
    Hello
    | Acquire
    | Renew
    | Release
    | Skill
    | Goal
    | ServoJoint
    | ServoPose
    | Hold
    | Reset
    | Scene
    | Track
    | Clear
    | Act,
    Field(discriminator="type"),
]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
"""Reads any command: ``COMMAND.validate_json(frame)``."""

ServiceRequest = Annotated[Hello | Act | Swap, Field(discriminator="type")]
SERVICE_REQUEST: TypeAdapter[ServiceRequest] = TypeAdapter(ServiceRequest)
"""Reads a request to a policy service without an arm."""

Reply = Annotated[
    Ok | Welcome | Granted | Acted | ServiceWelcome | Swapped | Error,
    Field(discriminator="type"),
]
REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)
"""Reads any reply: ``REPLY.validate_json(frame)``."""

ANY_MESSAGE: TypeAdapter[Any] = TypeAdapter(
    Annotated[
        Command | Swap | Reply | Stop | Telemetry | PolicyStep | Commanded,
        Field(discriminator="type"),
    ]
)
"""Reads any message; the source of the committed JSON Schema."""
