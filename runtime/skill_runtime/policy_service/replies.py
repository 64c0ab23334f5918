"""The frames of a reply: for the gateway the receiver and the error code, then the message."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import FloatArray
from skill_proto.messages import Acted, Error
from skill_proto.wire import WireError, array_specs, pack
from skill_runtime.policy import PolicyOutput
from skill_runtime.policy_service.requests import ActRequest


def acted(
    request: ActRequest,
    output: PolicyOutput,
    rows: slice,
    *,
    steps: int,
    inference_s: float,
    time_s: float,
    instance: str,
) -> list[bytes]:
    """Returns the reply to a request with its rows of an inference."""
    arrays = _reply_arrays(output, rows)
    message = Acted(
        id=request.message.id,
        instance=instance,
        time=time_s,
        inference_s=inference_s,
        steps=steps,
        arrays=array_specs(arrays),
    )
    return [request.sender, b"", *pack(message, arrays)]


def refused(sender: bytes, error: WireError, *, time_s: float, instance: str) -> list[bytes]:
    """Returns the reply to a request that was refused."""
    message = Error(
        id=error.message_id,
        instance=instance,
        time=time_s,
        code=error.code,
        message=str(error),
        fix=error.fix,
    )
    return [sender, error.code.encode(), *pack(message)]


def _reply_arrays(output: PolicyOutput, rows: slice) -> dict[str, FloatArray]:
    """Returns the arrays of a reply; one with a number that is not finite is left out."""
    arrays: dict[str, FloatArray | None] = {
        "action": output.action,
        "context": output.context,
        "context_distance": output.context_distance,
        "estimate": output.estimate,
    }
    given = {name: array[rows] for name, array in arrays.items() if array is not None}
    return {name: array for name, array in given.items() if np.isfinite(array).all()}
