"""Arguments of a client's call, converted to a message or refused before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypedDict, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from skill_proto.arrays import Float32Array
from skill_proto.messages import Message
from skill_proto.printable import printable
from skill_proto.validation_text import clip, describe_errors
from skill_runtime.client.errors import CommandRefusedError, InvalidUseError
from skill_runtime.security.client_keys import ClientKeys, client_keys
from skill_runtime.security.keys import KeyFileError

MAX_TIMEOUT_S = 3600.0
"""Longest timeout of a client [s]."""

MAX_REASON = 256
"""Longest reason of a stop, and longest name of a client [characters]."""

MAX_AXES = 4
MAX_AXIS = 65536
"""Bounds of an array's shape on the wire."""

_NUMERIC_KINDS = "biuf"
"""Kinds of numpy's types that are real numbers."""

M = TypeVar("M", bound=Message)


class GripperFields(TypedDict, total=False):
    """The gripper's part of a motion command; by default unchanged, or controlled by the policy."""

    gripper_width: float | None
    """Gripper width [m]."""
    grasp: bool
    """Whether the gripper closes on the object and holds it by force."""


def make_request(kind: type[M], **fields: object) -> M:
    """Returns a message with these fields.

    Raises:
        CommandRefusedError: ``invalid``, the code with which the server would refuse the message.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise CommandRefusedError("invalid", describe_errors(error), "") from None
    except Exception as error:  # a value that is an object of the program may raise anything
        raise CommandRefusedError("invalid", f"an argument cannot be read: {error}", "") from None


def plain_text(value: object) -> str:
    """Returns any object as text without control characters, cut to ``MAX_REASON``.

    None is an empty text, and an exception is preceded by the name of its class. No object raises
    an error: a stop never fails because of its reason.
    """
    if value is None:
        return ""
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # the object's own method may raise anything
        text = "(no text)"
    if isinstance(value, BaseException):
        text = f"{type(value).__name__}: {text}"
    return clip(printable(text[:MAX_REASON]), MAX_REASON - 3)


def check_timeout(timeout_s: object) -> float:
    """Returns the timeout [s] if a call can wait for it.

    Raises:
        InvalidUseError: it is not a number above 0 and up to ``MAX_TIMEOUT_S``.
    """
    if (
        isinstance(timeout_s, int | float | np.integer | np.floating)
        and not isinstance(timeout_s, bool)
        and 0 < timeout_s <= MAX_TIMEOUT_S
    ):
        return float(timeout_s)
    raise InvalidUseError(
        f"timeout_s takes a number of seconds above 0, up to {MAX_TIMEOUT_S:g}, got "
        f"{printable(clip(repr(timeout_s), 60))}. Fix: give one, e.g. timeout_s=2.0"
    )


def check_finite(name: str, seconds: float | None) -> None:
    """Refuses a duration with which no time can be computed.

    Args:
        name: Name of the argument.
        seconds: The duration [s]; None if it is not given.

    Raises:
        CommandRefusedError: ``invalid``, it is not a finite number.
    """
    # Other objects than numbers raise TypeError, and whole numbers beyond a float OverflowError.
    with suppress(TypeError, OverflowError):
        if seconds is None or math.isfinite(seconds):
            return
    raise CommandRefusedError(
        "invalid",
        f"{name} takes a finite number of seconds, got {printable(clip(repr(seconds), 60))}",
        f"give one, e.g. {name}=0.02, or leave it out",
    )


def read_keys(
    address: object, key: str | Path | None = None, server_key: str | Path | None = None
) -> ClientKeys | None:
    """Returns the keys for a server; None to connect without keys.

    Raises:
        InvalidUseError: A key cannot be read, or one of the two is missing.
    """
    try:
        return client_keys(str(address), key, server_key)
    except KeyFileError as error:
        raise InvalidUseError(str(error)) from None


def to_vector(values: ArrayLike) -> tuple[float, ...]:
    """Converts an array of one dimension to a tuple.

    A number in single precision becomes the shortest decimal that identifies it, so that 0.15 in
    single precision does not exceed a bound of 0.15.

    Raises:
        CommandRefusedError: ``invalid``, the values are not numbers, some of them are masked, or
            the array does not have one dimension.
    """
    array = _numbers(values, "the vector")
    if array.ndim != 1:
        raise CommandRefusedError(
            "invalid", f"expected a vector, got an array of shape {array.shape}", ""
        )
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        return tuple(float(str(value)) for value in array)
    return tuple(array.astype(np.float64).tolist())


def to_arrays(given: Mapping[str, ArrayLike | None]) -> dict[str, Float32Array]:
    """Converts the arrays of ``act`` to single precision; None is left out.

    Raises:
        CommandRefusedError: ``invalid``, an array cannot be sent; the text names it.
    """
    return {name: _to_array(name, v) for name, v in given.items() if v is not None}


def _to_array(name: str, values: ArrayLike) -> Float32Array:
    array = _numbers(values, f"array {name!r}")
    if array.ndim > MAX_AXES or max(array.shape, default=0) > MAX_AXIS:
        raise CommandRefusedError(
            "invalid",
            f"array {name!r} has shape {array.shape}, at most {MAX_AXES} axes of up to {MAX_AXIS} "
            "entries are possible",
            "",
        )
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    if not np.isfinite(single).all():
        raise CommandRefusedError(
            "invalid", f"array {name!r} contains NaN, infinity or a number beyond float32", ""
        )
    return single


def _numbers(values: object, name: str) -> np.ndarray:
    """Returns the values as an array of real numbers."""
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O":
            array = _from_objects(array)
    except Exception as error:  # an array of another library may raise anything
        raise CommandRefusedError(
            "invalid", f"{name} is not an array of numbers: {error}", ""
        ) from None
    if array.dtype.kind not in _NUMERIC_KINDS:
        raise CommandRefusedError(
            "invalid",
            f"{name} is not an array of numbers, but of {array.dtype}",
            "pass a list or an array of real numbers",
        )
    if _has_masked(values):
        raise CommandRefusedError(
            "invalid", f"{name} has masked values", "fill or remove them before the call"
        )
    return array


def _from_objects(array: np.ndarray) -> np.ndarray:
    """Converts numbers of Python, such as Fraction; refuses text and containers."""
    entries = cast("Iterable[object]", array.flat)
    wrong = [entry for entry in entries if not hasattr(entry, "__float__")]
    if wrong:
        raise TypeError(f"it contains an object of type {type(wrong[0]).__name__!r}")
    return array.astype(np.float64)


def _has_masked(values: object) -> bool:
    return np.ma.is_masked(values) or (
        isinstance(values, list | tuple) and any(np.ma.is_masked(entry) for entry in values)
    )
