"""Reads one request of a client, and refuses it with a reason if it cannot be answered."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import COMMAND, Act
from skill_proto.wire import WireError, unpack
from skill_runtime.policy.onnx_file.session import reason_of
from skill_runtime.policy_service.act_validation import ActInputs, validate_act

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ActRequest:
    """One valid ``act``."""

    sender: bytes
    """Name of the client's connection."""
    message: Act
    inputs: ActInputs


def read_request(sender: bytes, frames: Sequence[bytes], manifest: PolicyManifest) -> ActRequest:
    """Returns the request in the frames of a client; the gateway has checked its ``instance``.

    Args:
        sender: Name of the client's connection.
        frames: The frames as received.
        manifest: Manifest of the policy.

    Raises:
        WireError: The frames are not a valid request; with the id of the message if it is known.
    """
    message_id = 0
    try:
        message, arrays = unpack(frames, COMMAND)
        message_id = message.id
        if not isinstance(message, Act):
            raise WireError("malformed", f"{message.type!r} has no arrays", "send the header alone")
        return ActRequest(sender, message, validate_act(arrays, manifest))
    except WireError as error:
        error.message_id = error.message_id or message_id
        raise
    except Exception as error:  # a bug of the service: the client must get a reply
        log.exception("internal error")
        raise internal_error(f"internal error: {reason_of(error)}", message_id) from None


def internal_error(problem: str, message_id: int) -> WireError:
    """Returns the error for a request that the service has failed at."""
    fix = "start a new episode; if it fails again, report it with the server's log"
    return WireError("internal", problem, fix, message_id)
