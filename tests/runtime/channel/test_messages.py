"""Every command and reply as a record, and back."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.messages import (
    MAX_ID,
    Acquire,
    Act,
    Clear,
    Command,
    Error,
    ErrorCode,
    Goal,
    Granted,
    Hello,
    Hold,
    Inbound,
    Message,
    Ok,
    Release,
    Renew,
    Reset,
    Scene,
    ServoJoint,
    ServoPose,
    Skill,
    Track,
)
from skill_runtime.channel.channel import COMMAND_BYTES, REPLY_BYTES
from skill_runtime.channel.messages import COMMANDS, REPLIES
from skill_runtime.channel.record_queue import CorruptRecordError
from skill_runtime.channel.text import MAX_TEXT_BYTES

EXECUTED = [kind for kind in get_args(get_args(Command)[0]) if kind not in (Hello, Act)]
"""Commands that reach the controller."""

ELSEWHERE = {"v", "id", "type", "instance"}
"""Fields that no record has: the gateway checks them, and remembers the id."""

FINITE = st.floats(allow_nan=False, allow_infinity=False)
IDS = st.integers(0, MAX_ID)
REQUESTS = st.integers(0, 2**64 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VECTOR = st.lists(FINITE, min_size=1, max_size=8).map(tuple)
THREE = st.tuples(FINITE, FINITE, FINITE)
COMMON = {"lease": TEXT.filter(bool).map(lambda text: text[:64]), "seq": IDS}
SENT = {**COMMON, "reference_time": FINITE}
TIMED = {
    **SENT,
    "valid_for_s": st.floats(5e-324, 60),
    "gripper_width": st.none() | st.floats(0, 1),
    "grasp": st.booleans(),
}
FIELDS: dict[type[Inbound], dict[str, st.SearchStrategy[object]]] = {
    Acquire: {"holder": TEXT, "ttl_s": st.floats(0.1, 60), "priority": st.integers(0, 9)},
    Renew: {"lease": COMMON["lease"]},
    Release: {"lease": COMMON["lease"]},
    Skill: {**TIMED, "skill": st.just(()) | VECTOR},
    Goal: {**TIMED, "goal": VECTOR},
    ServoJoint: {**TIMED, "joint_position": VECTOR},
    ServoPose: {**TIMED, "end_effector_position": THREE},
    Hold: SENT,
    Reset: {**SENT, "seed": st.none() | st.integers(0, 2**32 - 1)},
    Scene: {
        **SENT,
        "mass": st.none() | st.floats(*MASS_KG),
        "friction": st.none() | st.floats(*FRICTION),
    },
    Track: {
        "object": COMMON["lease"],
        "captured": FINITE,
        "position": THREE,
        "quaternion": st.tuples(FINITE, FINITE, FINITE, FINITE),
        "velocity": st.none() | THREE,
        "angular_velocity": st.none() | THREE,
    },
    Clear: {},
}
"""Values of every field of every command that the controller executes."""


def commands() -> st.SearchStrategy[Inbound]:
    return st.one_of([st.builds(kind, **fields) for kind, fields in FIELDS.items()])


@pytest.mark.parametrize("kind", EXECUTED)
def test_these_tests_know_every_command_and_each_of_its_fields(kind: type[Inbound]) -> None:
    """A field that a record lacks would be lost in silence; the next test sees it."""
    assert set(FIELDS[kind]) == set(kind.model_fields) - ELSEWHERE


@given(message=commands(), request=REQUESTS)
def test_a_command_is_the_same_after_its_way_as_a_record(message: Inbound, request: int) -> None:
    record = COMMANDS.encode(message, request)
    assert len(record) <= COMMAND_BYTES
    assert COMMANDS.decode(record) == (request, message)


@pytest.mark.parametrize("time_s", [-(2.0**63), 2.0**63, -1.7e308, 5e-324, -0.0])
def test_no_time_is_mistaken_for_a_field_that_is_left_out(time_s: float) -> None:
    message = Hold(lease="x", seq=0, reference_time=time_s)
    assert COMMANDS.decode(COMMANDS.encode(message, 1)) == (1, message)


def test_the_longest_command_of_each_kind_fits_into_its_slot() -> None:
    """A vector of 1,024 numbers, and a lease of 64 characters of four bytes."""
    lease, vector = "\U0001f6d1" * 64, (1.7e308,) * 1024
    header = {"lease": lease, "seq": MAX_ID, "reference_time": 0.1, "valid_for_s": 60.0}
    for message in (
        Skill.model_validate({**header, "skill": vector}),
        Goal.model_validate({**header, "goal": vector}),
        ServoJoint.model_validate({**header, "joint_position": vector}),
        Acquire(holder="\U0001f6d1" * 256),
    ):
        record = COMMANDS.encode(message, 2**64 - 1)
        assert len(record) <= COMMAND_BYTES
        assert COMMANDS.decode(record) == (2**64 - 1, message)


REPLY = st.one_of(
    st.builds(Ok, time=FINITE),
    st.builds(Granted, time=FINITE, lease=TEXT, ttl_s=FINITE, seq=IDS),
    st.builds(
        Error,
        time=FINITE,
        code=st.sampled_from(get_args(ErrorCode)),
        message=TEXT,
        fix=TEXT,
    ),
)


@given(message=REPLY, request=REQUESTS)
def test_a_reply_is_the_same_after_its_way_as_a_record(message: Message, request: int) -> None:
    record = REPLIES.encode(message, request)
    assert len(record) <= REPLY_BYTES
    assert REPLIES.decode(record) == (request, message)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("y" * 5000, "y" * MAX_TEXT_BYTES),
        ("x" + "\u20ac" * 2000, "x" + "\u20ac" * 341),  # cut within a character of three bytes
        ("half \ud83d", "half ?"),
    ],
)
def test_a_long_text_of_a_reply_is_cut(given: str, kept: str) -> None:
    error = Error(time=0.0, code="internal", message=given, fix="z" * 5000)
    record = REPLIES.encode(error, 1)
    assert len(record) <= REPLY_BYTES
    _, reply = REPLIES.decode(record)
    assert isinstance(reply, Error)
    assert (reply.message, reply.fix) == (kept, "z" * MAX_TEXT_BYTES)


def decoded(record: bytes) -> Inbound | None:
    """Returns the command of a record, or None for a record that is refused."""
    try:
        return COMMANDS.decode(record)[1]
    except CorruptRecordError:
        return None


@given(number=st.integers(0, len(EXECUTED)) | REQUESTS, rest=st.binary(max_size=300))
def test_random_bytes_are_refused_or_a_valid_command(number: int, rest: bytes) -> None:
    message = decoded(number.to_bytes(8, "little") + rest)
    if message is not None:
        assert decoded(COMMANDS.encode(message, 0)) == message
        type(message).model_validate(message.model_dump())


@given(message=commands(), data=st.data())
def test_a_damaged_command_is_refused_or_a_valid_command(
    message: Inbound, data: st.DataObject
) -> None:
    record = bytearray(COMMANDS.encode(message, 1))
    for _ in range(data.draw(st.integers(1, 4))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    changed = decoded(bytes(record))
    if changed is not None:
        type(changed).model_validate(changed.model_dump())


@given(message=commands(), data=st.data())
def test_a_command_of_another_length_is_refused(message: Inbound, data: st.DataObject) -> None:
    record = COMMANDS.encode(message, 1)
    cut = data.draw(st.integers(0, len(record) - 1))
    assert decoded(record[:cut]) is None
    assert decoded(record + data.draw(st.binary(min_size=1))) is None


@pytest.mark.parametrize("record", [b"", b"\0" * 7, b"\0" * 15, b"\xff" * 16, b"\xff" * 5000])
def test_the_shortest_and_the_wildest_records_are_refused(record: bytes) -> None:
    with pytest.raises(CorruptRecordError):
        COMMANDS.decode(record)
    with pytest.raises(CorruptRecordError):
        REPLIES.decode(record)
