"""The bytes of a record, computed by hand."""

from __future__ import annotations

import struct

import pytest

from skill_proto.messages import Message
from skill_runtime.channel.codec import Fields, MessageCodec
from skill_runtime.channel.record_queue import CorruptRecordError


class First(Message):
    text: str | None = None


class Second(Message):
    whole: int | None = None
    number: float | None = None
    text: str | None = None
    vector: tuple[float, ...] | None = None


CODEC: MessageCodec[Message] = MessageCodec(
    {
        First: Fields(texts=("text",)),
        Second: Fields(
            integers=("whole",), floats=("number",), texts=("text",), vectors=("vector",)
        ),
    }
)


def test_the_layout_of_a_record() -> None:
    message = Second(whole=-5, number=0.5, text="\u20ac", vector=(1.0, 2.0))
    expected = struct.pack("<QQqdH3sH2d", 1, 77, -5, 0.5, 3, b"\xe2\x82\xac", 2, 1.0, 2.0)
    assert CODEC.encode(message, 77) == expected
    assert CODEC.decode(expected) == (77, message)


def test_absent_values_have_bytes_that_no_value_has() -> None:
    record = CODEC.encode(Second(), 0)
    head = struct.pack("<QQq", 1, 0, -(2**63))
    number = struct.pack("<d", float("nan"))
    assert record == head + number + b"\xff\xff" + b"\xff\xff"
    assert CODEC.decode(record) == (0, Second())
    empty = Second(whole=0, number=0.0, text="", vector=())
    assert CODEC.decode(CODEC.encode(empty, 0)) == (0, empty)


@pytest.mark.parametrize(
    "record",
    [
        struct.pack("<QQH", 2, 0, 0),  # there is no third type
        struct.pack("<QQH", 2**64 - 1, 0, 0),
        struct.pack("<QQH", 0, 0, 5) + b"abcd",  # the text is shorter than its length
        struct.pack("<QQH", 0, 0, 3) + b"abcd",
        struct.pack("<QQ", 0, 0) + b"\0",  # half a length
        struct.pack("<QQqdHH", 1, 0, 0, 0.0, 0, 2) + bytes(15),  # the vector misses a byte
        struct.pack("<QQqdHH", 1, 0, 0, 0.0, 0, 65534),
    ],
)
def test_lengths_that_contradict_the_record_are_refused(record: bytes) -> None:
    with pytest.raises(CorruptRecordError):
        CODEC.decode(record)


def test_a_message_of_another_type_is_a_bug_of_the_caller() -> None:
    with pytest.raises(KeyError):
        CODEC.encode(Message(), 1)
