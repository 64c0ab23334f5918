"""The frames of a reply, without those that lead it to its receiver."""

from __future__ import annotations

import json

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
    steps: int,
    inference_s: float,
    time_s: float,
    late_s: float,
    instance: str,
) -> list[bytes]:
    """Returns the reply to a request with its rows of an inference.

    The numbers follow the part of the header that is the same in all replies to a session.
    """
    arrays = [result.action[rows]]
    given = "action"
    if result.context is not None:
        given += _add_context(result, rows, arrays)
    head = known.reply_heads.get(given)
    if head is None:
        head = known.reply_heads[given] = _head(given.split(), arrays, instance)
    if late_s > 0:
        tail = b',"id":%d,"steps":%d,"time":%.6f,"inference_s":%.7f,"late_s":%.6f}'
        header = head + tail % (message_id, steps, time_s, inference_s, late_s)
    else:
        tail = b',"id":%d,"steps":%d,"time":%.6f,"inference_s":%.7f}'
        header = head + tail % (message_id, steps, time_s, inference_s)
    if len(arrays) == 1:
        return [header, arrays[0].tobytes()]
    return [header, *[array.tobytes() for array in arrays]]


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


def _add_context(result: StepResult, rows: slice, arrays: list[Float32Array]) -> str:
    """Adds the arrays of the context; one with a number that is not finite is left out.

    Returns:
        Their names, each after a space.
    """
    names = ""
    if result.context is not None and all_finite(part := result.context[rows]):
        arrays.append(part)
        names = " context"
    distance = result.context_distance
    if distance is not None and all_finite(part := distance[rows]):
        arrays.append(part)
        names += " context_distance"
    if result.estimate is not None and all_finite(part := result.estimate[rows]):
        arrays.append(part)
        names += " estimate"
    return names


def _head(names: list[str], arrays: list[Float32Array], instance: str) -> bytes:
    """Returns the header of a reply up to its numbers, as an open JSON object."""
    fields = {
        "v": PROTOCOL_VERSION,
        "type": "acted",
        "instance": instance,
        "arrays": [
            {"name": name, "dtype": "float32", "shape": list(array.shape)}
            for name, array in zip(names, arrays, strict=True)
        ],
    }
    return json.dumps(fields, separators=(",", ":")).encode()[:-1]
