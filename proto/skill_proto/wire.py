"""Messages to ZeroMQ frames and back: a JSON header, then raw little-endian arrays.

Frame 0 is the UTF-8 JSON of one message. If the message has ``arrays``, exactly one frame per entry
follows. The sizes are checked before anything is parsed, and pickle is never used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TypeVar, cast

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from skill_proto.arrays import FloatArray
from skill_proto.messages import MAX_ID, PROTOCOL_VERSION, ArraySpec, ErrorCode
from skill_proto.validation_text import clip, describe_errors

MAX_HEADER_BYTES = 32 * 1024
"""Longest header that a server reads; the longest vector fits at full precision."""

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""Longest frame of any kind; a client's socket closes the connection at a longer one."""

MAX_PARTS = 9
"""Header and at most eight arrays."""

MAX_FAULTS_LISTED = 64
"""A header with more faults than this is refused without a list of them."""

M = TypeVar("M")


class WireError(ValueError):
    """The frames are not a message; ``code`` and ``fix`` go into the error reply."""

    def __init__(self, code: ErrorCode, message: str, fix: str, message_id: int = 0) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.fix = fix
        self.message_id = message_id


def pack(message: BaseModel, arrays: Mapping[str, FloatArray] | None = None) -> list[bytes]:
    """Returns the frames of a message.

    Args:
        message: The header.
        arrays: The arrays that ``message.arrays`` names, in that order.

    Raises:
        ValueError: ``arrays`` differ from ``message.arrays`` in name, type, shape or order.
    """
    arrays = arrays or {}
    specs: tuple[ArraySpec, ...] = getattr(message, "arrays", ())
    if array_specs(arrays) != specs:
        raise ValueError(f"the message names arrays {specs}, got {array_specs(arrays)}")
    # An instance that is not given is left out.
    unset = {"instance"} if getattr(message, "instance", "") is None else None
    return [message.model_dump_json(exclude=unset).encode()] + [
        np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        for array in arrays.values()
    ]


def array_specs(arrays: Mapping[str, FloatArray]) -> tuple[ArraySpec, ...]:
    """Returns the value of a message's ``arrays`` for these arrays."""
    return tuple(
        ArraySpec.model_validate({"name": name, "dtype": array.dtype.name, "shape": array.shape})
        for name, array in arrays.items()
    )


def unpack(
    frames: Sequence[bytes], kind: TypeAdapter[M], *, max_header_bytes: int = MAX_HEADER_BYTES
) -> tuple[M, dict[str, FloatArray]]:
    """Reads frames as a message of ``kind``, strictly: a string or a boolean is not a number.

    Args:
        frames: One message as received, without ZeroMQ's identity frame.
        kind: ``COMMAND``, ``REPLY`` or another adapter from ``messages``.
        max_header_bytes: Longest header to read. A client reads longer ones than a server, since
            a welcome carries a whole manifest.

    Raises:
        WireError: the number or size of the frames is wrong, or the header is not JSON or not a
            valid message.
    """
    if not 1 <= len(frames) <= MAX_PARTS:
        raise WireError(
            "malformed",
            f"a message has 1 to {MAX_PARTS} frames, got {len(frames)}",
            "send one JSON header and at most eight arrays",
        )
    message = read_header(frames[0], kind, max_header_bytes=max_header_bytes)
    specs: tuple[ArraySpec, ...] = getattr(message, "arrays", ())
    return message, _arrays(frames[1:], specs, getattr(message, "id", 0))


def read_header(
    header: bytes, kind: TypeAdapter[M], *, max_header_bytes: int = MAX_HEADER_BYTES
) -> M:
    """Reads the first frame of a message; see :func:`unpack`.

    Raises:
        WireError: the header is too long, not JSON, or not a valid message.
    """
    if len(header) > max_header_bytes:
        raise WireError(
            "too_large",
            f"the header has {len(header)} bytes, the limit is {max_header_bytes}",
            "send a shorter header",
        )
    try:
        return kind.validate_json(header, strict=True)
    except ValidationError as error:
        raise _explain(header, error) from None


def _arrays(
    frames: Sequence[bytes], specs: tuple[ArraySpec, ...], message_id: int
) -> dict[str, FloatArray]:
    if len(frames) != len(specs):
        raise WireError(
            "malformed",
            f"the header names {len(specs)} arrays, but {len(frames)} frames follow it",
            "send exactly one frame per entry of 'arrays'",
            message_id,
        )
    names = [spec.name for spec in specs]
    if len(set(names)) != len(names):
        raise WireError(
            "invalid",
            f"'arrays' gives a name twice: {names}",
            "name every array once",
            message_id,
        )
    arrays: dict[str, FloatArray] = {}
    for frame, spec in zip(frames, specs, strict=True):
        dtype = np.dtype(spec.dtype).newbyteorder("<")
        expected = prod(spec.shape) * dtype.itemsize
        if len(frame) != expected or len(frame) > MAX_FRAME_BYTES:
            raise WireError(
                "malformed",
                f"array {spec.name!r} has {len(frame)} bytes, but {spec.dtype} "
                f"{list(spec.shape)} takes {expected}",
                "send little-endian values in C order",
                message_id,
            )
        array = np.frombuffer(frame, dtype).reshape(spec.shape)
        if not np.isfinite(array).all():
            place = np.argwhere(~np.isfinite(array))[0].tolist()
            raise WireError(
                "invalid",
                f"array {spec.name!r} has {array[tuple(place)]!s} at {place}",
                "send finite numbers",
                message_id,
            )
        arrays[spec.name] = array
    return arrays


def _explain(header: bytes, error: ValidationError) -> WireError:
    """Returns the most helpful error for a header that did not validate."""
    if error.error_count() > MAX_FAULTS_LISTED:
        # Each listed fault costs tens of microseconds in the server's loop.
        return WireError(
            "invalid",
            f"the header has {error.error_count()} faults",
            "send only the fields that docs/protocol.md names, with values of their types",
            _peek(header)[0],
        )
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return WireError(
            "malformed",
            f"frame 0 is not UTF-8 JSON: {first['msg']}",
            "send one JSON object as the first frame; see docs/protocol.md",
        )
    message_id, version, kind = _peek(header)
    if version is not None and version != PROTOCOL_VERSION:
        return WireError(
            "wrong_version",
            f"the message's v is {clip(repr(version), 60)}, but this side speaks version "
            f"{PROTOCOL_VERSION}",
            f'send "v": {PROTOCOL_VERSION}, or use a client of the server\'s version',
            message_id,
        )
    if first["type"] in ("union_tag_invalid", "union_tag_not_found") or first["loc"] == ("type",):
        context = first.get("ctx", {})
        expected = context.get("expected_tags") or context.get("expected")
        return WireError(
            "unknown_type",
            "the message has no type"
            if kind is None
            else f"unknown message type {clip(repr(kind), 60)}",
            f"use one of: {expected or 'the types in docs/protocol.md'}",
            message_id,
        )
    return WireError(
        "invalid",
        describe_errors(error),
        "correct the named fields; see docs/protocol.md",
        message_id,
    )


def _peek(header: bytes) -> tuple[int, object, object]:
    """Returns ``id``, ``v`` and ``type`` of a header that is JSON but not a message."""
    # pydantic's own parser: another one could disagree with it on some header.
    raw: object = from_json(header)
    if not isinstance(raw, dict):
        return 0, None, None
    fields = cast("dict[str, object]", raw)
    given = fields.get("id")
    message_id = 0
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= MAX_ID:
        message_id = given
    return message_id, fields.get("v", PROTOCOL_VERSION), fields.get("type")
