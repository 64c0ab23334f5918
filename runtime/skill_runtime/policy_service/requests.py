"""Reads ``act`` requests into the input rows of their policy.

A request whose header is known and whose numbers pass quick checks is read without a parser. Any
other one is parsed and validated in full, which gives the reason of a refusal.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import isfinite

import numpy as np

from skill_proto.messages import SERVICE_REQUEST, Act
from skill_proto.wire import WireError, unpack
from skill_runtime.policy.onnx_file.session import reason_of
from skill_runtime.policy_service.act_validation import validate_act
from skill_runtime.policy_service.headers import KnownHeader
from skill_runtime.policy_service.inference.input_rows import COMMANDS, InputRows
from skill_runtime.policy_service.models import ServedModel

log = logging.getLogger(__name__)

MAX_ACTION = 1.0
"""Bound of a previous action that needs no rounding."""

PLAIN = tuple(("observation", name) for name in COMMANDS)
"""Names of the arrays of most requests."""

Known = KnownHeader[ServedModel]


def write_known(known: Known, frames: Sequence[bytes], rows: InputRows, first: int) -> bool:
    """Writes the arrays of a request with a known header from row ``first`` on.

    Args:
        known: The header.
        frames: The request's frames, header included.
        rows: Input rows of the policy.
        first: First row.

    Returns:
        Whether all quick checks passed; otherwise :func:`write_checked` gives the reason.
    """
    if known.is_plain and first == 0:
        return _write_plain(known, frames, rows)
    if len(frames) != len(known.arrays) + 1:
        return False
    n, place, own_action = known.rows, 1, False
    for name, is_single, size in known.arrays:
        data = frames[place]
        place += 1
        if len(data) != size:
            return False
        if name in COMMANDS:
            if data != known.command:
                return False
            rows.write_bytes(name, first, known.command_rows)
            rows.choose_command(name, first, n)
            continue
        if is_single:
            rows.write_bytes(name, first, data)
        else:
            with np.errstate(over="ignore"):  # an infinity is found below
                rows.tensors[name][first : first + n] = np.frombuffer(data, "<f8").reshape(n, -1)
        if not rows.is_finite(name, first, n):
            return False
        if name == "previous_action":
            own_action = True
            if np.abs(rows.tensors[name][first : first + n]).max() > MAX_ACTION:
                return False
    if n == 1:
        rows.own_action[first] = own_action
    else:
        rows.own_action[first : first + n] = [own_action] * n
    return True


def _write_plain(known: Known, frames: Sequence[bytes], rows: InputRows) -> bool:
    """Writes the usual request, one row of observation and command, to the first row."""
    (_, _, size), (name, _, _) = known.arrays
    if len(frames) != 3 or len(frames[1]) != size or frames[2] != known.command:
        return False
    row = rows.first
    row.observation_bytes[:] = frames[1]
    if not isfinite(row.observation.dot(row.observation)):
        return False
    if row.commanded_by is not known:
        rows.write_bytes(name, 0, known.command_rows)
        rows.choose_command(name, 0, 1)
        row.commanded_by = known
    rows.own_action[0] = False
    return True


def write_checked(
    known: Known, frames: Sequence[bytes], rows: InputRows, first: int, message_id: int
) -> None:
    """Validates the arrays of a request in full, and writes them from row ``first`` on.

    Raises:
        WireError: The arrays are not valid; with the id of the message.
    """
    try:
        _, arrays = unpack(frames, SERVICE_REQUEST)
        inputs = validate_act(arrays, known.model.manifest)
    except WireError as error:
        error.message_id = error.message_id or message_id
        raise
    except Exception as error:  # a bug of the service: the client must get a reply
        log.exception("internal error")
        raise internal_error(f"internal error: {reason_of(error)}", message_id) from None
    rows.write(first, inputs.arrays)
    for place, (name, _, _) in enumerate(known.arrays, 1):
        if name in COMMANDS:
            known.command = bytes(frames[place])
            known.command_rows = inputs.arrays[name].tobytes()
            rows.first.commanded_by = None


def describe_header(message: Act, model: ServedModel) -> Known:
    """Returns the facts about a parsed header.

    Raises:
        WireError: ``too_large``, an array has more bytes than any valid one of the policy.
    """
    arrays = tuple(
        (spec.name, spec.dtype == "float32", _bytes(spec.shape, spec.dtype))
        for spec in message.arrays
    )
    longest = max((size for _, _, size in arrays), default=0)
    if longest > model.largest_array:
        raise WireError(
            "too_large",
            f"an array has {longest} bytes, the largest one of this policy has "
            f"{model.largest_array}",
            "send fewer rows",
            message.id,
        )
    shapes = [spec.shape for spec in message.arrays]
    rows = shapes[0][0] if shapes and shapes[0] else 0
    names = tuple(name if is_single else "" for name, is_single, _ in arrays)
    is_plain = rows == 1 and names in PLAIN
    return KnownHeader(message, model, rows, arrays, is_plain)


def _bytes(shape: tuple[int, ...], dtype: str) -> int:
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize


def forbidden(reason: str, message_id: int = 0) -> WireError:
    """Returns the error for a sender who may not send its message."""
    return WireError("forbidden", reason, "ask the server's operator to allow it", message_id)


def internal_error(problem: str, message_id: int) -> WireError:
    """Returns the error for a request that the service has failed at."""
    fix = "start a new episode; if it fails again, report it with the server's log"
    return WireError("internal", problem, fix, message_id)
