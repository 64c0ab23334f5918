"""Messages as records of bounded size, by a table of their fields; no text is parsed.

A record holds the number of the message type, the number of the request, and the fields in the
order of the table: integers, floats, texts and vectors. :func:`decode` checks every length, and
the message type checks every value, so a record of random bytes is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, error, pack, unpack_from
from typing import Generic, TypeVar

from pydantic import ValidationError

from skill_proto.messages import Message
from skill_runtime.channel.record_queue import CorruptRecordError
from skill_runtime.channel.text import pack_text, unpack_text

M = TypeVar("M", bound=Message)

_HEAD = Struct("<QQ")
_NO_INTEGER = -(2**63)
_NO_LENGTH = 2**16 - 1
_ABSENT = pack("<H", _NO_LENGTH)
"""Stands for a text or vector that is None."""


@dataclass(frozen=True, kw_only=True)
class Fields:
    """Names of the fields of one message type, by the type of their values."""

    integers: tuple[str, ...] = ()
    floats: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()


class MessageCodec(Generic[M]):
    """Converts messages of several types to records and back.

    Args:
        table: The fields of each message type, without ``v``, ``id``, ``type`` and ``instance``.
        validates: Whether the message type checks the values of a record. Without, a record is only
            checked for its lengths, which is faster.
    """

    def __init__(self, table: Mapping[type[M], Fields], *, validates: bool = True) -> None:
        self._validates = validates
        self._types = tuple(table)
        self._numbers = {kind: number for number, kind in enumerate(self._types)}
        self._fields = tuple(table.values())
        self._scalars = tuple(
            Struct(f"<{len(fields.integers)}q{len(fields.floats)}d") for fields in self._fields
        )

    def encode(self, message: M, request: int) -> bytes:
        """Returns the record of a message.

        Args:
            message: A message of one of the types.
            request: Number with which the reply is matched to its request.
        """
        number = self._numbers[type(message)]
        fields = self._fields[number]
        given = message.__dict__
        scalars = self._scalars[number].pack(
            *[_NO_INTEGER if given[name] is None else given[name] for name in fields.integers],
            *[math.nan if given[name] is None else given[name] for name in fields.floats],
        )
        texts = [_encode_text(given[name]) for name in fields.texts]
        vectors = [_encode_vector(given[name]) for name in fields.vectors]
        return b"".join([_HEAD.pack(number, request), scalars, *texts, *vectors])

    def request_of(self, record: bytes) -> int:
        """Returns the request number of a record; 0 if it is too short for one."""
        return 0 if len(record) < _HEAD.size else _HEAD.unpack_from(record)[1]

    def decode(self, record: bytes, **header: object) -> tuple[int, M]:
        """Returns request number and message of a record.

        Args:
            record: The record.
            header: Fields of the message that are not in the record.

        Raises:
            CorruptRecordError: The record is no message of these types.
        """
        try:
            number, request = _HEAD.unpack_from(record)
            kind, fields, scalars = self._types[number], self._fields[number], self._scalars[number]
            values: dict[str, object] = dict(
                zip(
                    fields.integers + fields.floats,
                    map(_or_none, scalars.unpack_from(record, _HEAD.size)),
                    strict=True,
                )
            )
            offset = _HEAD.size + scalars.size
            for name in fields.texts:
                values[name], offset = _decode_text(record, offset)
            for name in fields.vectors:
                values[name], offset = _decode_vector(record, offset)
            if offset != len(record):
                raise CorruptRecordError(f"{offset} bytes expected, got {len(record)}")
            values |= header
            make = kind.model_validate if self._validates else _construct(kind)
            return request, make(values)
        except (error, IndexError, UnicodeDecodeError, ValidationError) as problem:
            raise CorruptRecordError(f"a record is no message: {problem}") from None


def _construct(kind: type[M]) -> Callable[[dict[str, object]], M]:
    return lambda values: kind.model_construct(None, **values)


def _or_none(value: int | float) -> int | float | None:
    if isinstance(value, int):
        return None if value == _NO_INTEGER else value
    return None if math.isnan(value) else value


def _encode_text(text: str | None) -> bytes:
    return _ABSENT if text is None else pack_text(text)


def _decode_text(record: bytes, offset: int) -> tuple[str | None, int]:
    if record[offset : offset + len(_ABSENT)] == _ABSENT:
        return None, offset + len(_ABSENT)
    return unpack_text(record, offset)


def _encode_vector(vector: Sequence[float] | None) -> bytes:
    if vector is None:
        return _ABSENT
    return pack(f"<H{len(vector)}d", len(vector), *vector)


def _decode_vector(record: bytes, offset: int) -> tuple[tuple[float, ...] | None, int]:
    (length,) = unpack_from("<H", record, offset)
    offset += 2
    if length == _NO_LENGTH:
        return None, offset
    return unpack_from(f"<{length}d", record, offset), offset + 8 * length
