"""Reads one request of a client, and refuses it with a reason if it cannot be answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import COMMAND, Act
from skill_proto.validation_text import clip
from skill_proto.wire import WireError, unpack
from skill_runtime.policy_service.act_validation import ActInputs, validate_act


@dataclass(frozen=True)
class ActRequest:
    """One valid ``act``."""

    sender: bytes
    """Name of the client's connection."""
    message: Act
    inputs: ActInputs


def read_request(
    sender: bytes, frames: Sequence[bytes], manifest: PolicyManifest, instance: str
) -> ActRequest:
    """Returns the request in the frames of a client.

    Args:
        sender: Name of the client's connection.
        frames: The frames as received.
        manifest: Manifest of the policy.
        instance: Name of this run of the server.

    Raises:
        WireError: The frames are not a valid request; with the id of the message if it is known.
    """
    message, arrays = unpack(frames, COMMAND)
    try:
        if not isinstance(message, Act):
            raise WireError("malformed", f"{message.type!r} has no arrays", "send the header alone")
        if message.instance not in (None, instance):
            raise WireError(
                "wrong_server",
                f"the message is meant for server {clip(repr(message.instance), 80)}, this is "
                f"{instance!r}: another server, or the same one after a restart",
                "send 'hello' to learn which server this is",
            )
        return ActRequest(sender, message, validate_act(arrays, manifest))
    except WireError as error:
        error.message_id = message.id
        raise
