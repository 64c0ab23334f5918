"""Message to ZeroMQ frames and back: a JSON header, then raw little-endian arrays.

Frame 0 is the UTF-8 JSON of one message. Where the message has ``arrays``, exactly one frame per
entry follows. Everything is bounded before it is parsed, and nothing is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError

from skill_proto.manifest import describe_errors
from skill_proto.messages import PROTOCOL_VERSION, ArraySpec, ErrorCode

MAX_HEADER_BYTES = 64 * 1024
"""Longest header a server reads."""

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""Longest frame of any kind; set on the sockets, so that a longer one closes the connection."""

MAX_PARTS = 9
"""Header and at most eight arrays."""

Array = NDArray[np.float32] | NDArray[np.float64]
M = TypeVar("M")


class WireError(ValueError):
    """Frames that are not a message; ``code`` and ``fix`` go into the error reply."""

    def __init__(self, code: ErrorCode, message: str, fix: str, message_id: int = 0) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.fix = fix
        self.message_id = message_id


def pack(message: BaseModel, arrays: Mapping[str, Array] | None = None) -> list[bytes]:
    """Frames of a message; arrays must be those that ``message.arrays`` names, in that order."""
    frames = [message.model_dump_json().encode()]
    for array in (arrays or {}).values():
        frames.append(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return frames


def array_specs(arrays: Mapping[str, Array]) -> tuple[ArraySpec, ...]:
    """What goes into a message's ``arrays`` for these arrays."""
    return tuple(
        ArraySpec.model_validate({"name": name, "dtype": array.dtype.name, "shape": array.shape})
        for name, array in arrays.items()
    )


def unpack(frames: Sequence[bytes], kind: TypeAdapter[M]) -> tuple[M, dict[str, Array]]:
    """Reads frames as a message of ``kind``.

    Raises:
        WireError: wrong number or size of frames, not JSON, or not a valid message.
    """
    if not 1 <= len(frames) <= MAX_PARTS:
        raise WireError(
            "malformed",
            f"a message has 1 to {MAX_PARTS} frames, got {len(frames)}",
            "send one JSON header and at most eight arrays",
        )
    header = frames[0]
    if len(header) > MAX_HEADER_BYTES:
        raise WireError(
            "too_large",
            f"the header has {len(header)} bytes, at most {MAX_HEADER_BYTES} are read",
            "send long vectors as array frames",
        )
    try:
        message = kind.validate_json(header)
    except ValidationError as error:
        raise _explain(header, error) from None
    specs: tuple[ArraySpec, ...] = getattr(message, "arrays", ())
    return message, _arrays(frames[1:], specs, getattr(message, "id", 0))


def _arrays(
    frames: Sequence[bytes], specs: tuple[ArraySpec, ...], message_id: int
) -> dict[str, Array]:
    if len(frames) != len(specs):
        raise WireError(
            "malformed",
            f"the header names {len(specs)} arrays, {len(frames)} frames follow it",
            "send exactly one frame per entry of 'arrays'",
            message_id,
        )
    arrays: dict[str, Array] = {}
    for frame, spec in zip(frames, specs, strict=True):
        dtype = np.dtype(spec.dtype).newbyteorder("<")
        expected = prod(spec.shape) * dtype.itemsize
        if len(frame) != expected or len(frame) > MAX_FRAME_BYTES:
            raise WireError(
                "malformed",
                f"array {spec.name!r} has {len(frame)} bytes, {spec.dtype} {list(spec.shape)} "
                f"takes {expected}",
                "send little-endian values in C order",
                message_id,
            )
        array = np.frombuffer(frame, dtype).reshape(spec.shape)
        if not np.isfinite(array).all():
            raise WireError(
                "invalid",
                f"array {spec.name!r} holds NaN or infinity",
                "send finite numbers",
                message_id,
            )
        arrays[spec.name] = array
    return arrays


def _explain(header: bytes, error: ValidationError) -> WireError:
    """The most helpful error for a header that did not validate."""
    first = error.errors()[0]["type"]
    if first == "json_invalid":
        return WireError(
            "malformed",
            f"frame 0 is not UTF-8 JSON: {error.errors()[0]['msg']}",
            "send one JSON object as the first frame; see docs/protocol.md",
        )
    from_raw = _peek(header)
    message_id, version, kind = from_raw
    if version is not None and version != PROTOCOL_VERSION:
        return WireError(
            "wrong_version",
            f"the message is of protocol version {version}, this side speaks {PROTOCOL_VERSION}",
            "use a client of the same protocol version",
            message_id,
        )
    if first in ("union_tag_invalid", "union_tag_not_found"):
        return WireError(
            "unknown_type",
            f"there is no command of type {kind!r}",
            "use one of: " + str(error.errors()[0].get("ctx", {}).get("expected_tags", "see docs")),
            message_id,
        )
    return WireError(
        "invalid", describe_errors(error), "correct the named fields; see docs/protocol.md",
        message_id,
    )


def _peek(header: bytes) -> tuple[int, object, object]:
    """``id``, ``v`` and ``type`` of a header that is JSON but not a message."""
    import json

    raw = json.loads(header)
    if not isinstance(raw, dict):
        return 0, None, None
    message_id = raw.get("id", 0)
    usable = isinstance(message_id, int) and 0 <= message_id <= 2**53
    return (message_id if usable else 0), raw.get("v", PROTOCOL_VERSION), raw.get("type")
