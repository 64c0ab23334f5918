"""The frames of a reply, without those that lead it to its receiver."""

from __future__ import annotations

import json

import numpy as np

from skill_proto.arrays import Float32Array
from skill_proto.messages import PROTOCOL_VERSION, Error
from skill_proto.wire import WireError, pack
from skill_runtime.policy_service.inference.stepper import StepResult, all_finite
from skill_runtime.policy_service.requests import Known


def acted(
    known: Known,
    message_id: int,
    result: StepResult,
    rows: slice,
    *,
    steps: int,
    inference_s: float,
    time_s: float,
    late_s: float,
    instance: str,
) -> list[bytes]:
    """Returns the reply to a request with its rows of an inference.

    The numbers follow the part of the header that is the same in all replies to a session.
    """
    arrays = _reply_arrays(result, rows)
    names = tuple(arrays)
    head = known.reply_heads.get(names)
    if head is None:
        head = known.reply_heads[names] = _head(arrays, instance)
    late = b',"late_s":%.6f' % late_s if late_s > 0 else b""
    tail = b',"id":%d,"time":%.6f,"inference_s":%.7f,"steps":%d%b}'
    header = head + tail % (message_id, time_s, inference_s, steps, late)
    return [header, *[array.tobytes() for array in arrays.values()]]


def refused(error: WireError, *, time_s: float, instance: str) -> list[bytes]:
    """Returns the reply to a request that was refused."""
    message = Error(
        id=error.message_id,
        instance=instance,
        time=time_s,
        code=error.code,
        message=str(error),
        fix=error.fix,
    )
    return pack(message)


def _head(arrays: dict[str, Float32Array], instance: str) -> bytes:
    """Returns the header of a reply up to its numbers, as an open JSON object."""
    fields = {
        "v": PROTOCOL_VERSION,
        "type": "acted",
        "instance": instance,
        "arrays": [
            {"name": name, "dtype": "float32", "shape": list(array.shape)}
            for name, array in arrays.items()
        ],
    }
    return json.dumps(fields, separators=(",", ":")).encode()[:-1]


def _reply_arrays(result: StepResult, rows: slice) -> dict[str, Float32Array]:
    """Returns the arrays of a reply; one with a number that is not finite is left out."""
    arrays = {"action": result.action[rows]}
    if result.context is None:
        return arrays
    optional = {
        "context": result.context,
        "context_distance": result.context_distance,
        "estimate": result.estimate,
    }
    given = {name: array[rows] for name, array in optional.items() if array is not None}
    with np.errstate(over="ignore"):
        return arrays | {name: array for name, array in given.items() if all_finite(array)}
