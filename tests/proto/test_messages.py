"""Every valid message survives the wire, and every bound on a field holds."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import BaseModel

from skill_proto import messages as m
from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.wire import MAX_HEADER_BYTES, WireError, pack, unpack

finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(max_size=64)
token = st.text(min_size=1, max_size=64)
whole = st.integers(0, m.MAX_ID)
vector = st.lists(finite, min_size=1, max_size=32).map(tuple)
maybe = st.none() | finite
maybes = st.lists(maybe, max_size=9).map(tuple)
counts = st.dictionaries(text, st.integers(0, 2**62), max_size=4)

leased: dict[str, Any] = {"id": whole, "lease": token}
command: dict[str, Any] = {**leased, "seq": whole, "reference_time": finite}
timed: dict[str, Any] = {
    **command,
    "valid_for_s": st.floats(0, 60, exclude_min=True),
    "gripper_width": st.none() | st.floats(0, 1),
    "grasp": st.booleans(),
}

FIELDS: dict[type[m.Message], dict[str, SearchStrategy[Any]]] = {
    m.Hello: {"id": whole, "client": text},
    m.Acquire: {
        "id": whole,
        "holder": text,
        "ttl_s": st.floats(0.1, 60),
        "priority": st.integers(0, 9),
    },
    m.Renew: leased,
    m.Release: leased,
    m.Skill: {**timed, "skill": vector},
    m.Goal: {**timed, "goal": vector},
    m.ServoJoint: {**timed, "joint_position": vector},
    m.ServoPose: {**timed, "end_effector_position": st.tuples(finite, finite, finite)},
    m.Hold: command,
    m.Reset: {**command, "seed": st.none() | st.integers(0, 2**32 - 1)},
    m.Scene: {
        **command,
        "mass": st.none() | st.floats(*MASS_KG),
        "friction": st.none() | st.floats(*FRICTION),
    },
    m.Track: {
        "id": whole,
        "object": token,
        "captured": finite,
        "position": st.tuples(finite, finite, finite),
        "quaternion": st.tuples(finite, finite, finite, finite),
        "velocity": st.none() | st.tuples(finite, finite, finite),
        "angular_velocity": st.none() | st.tuples(finite, finite, finite),
    },
    m.Clear: {"id": whole},
    m.Act: {"id": whole, "session": token, "episode": whole, "model": token, "deadline": finite},
    m.Stop: {"id": whole, "reason": text},
    m.Ok: {"id": whole, "time": finite},
    m.Granted: {"id": whole, "time": finite, "lease": token, "ttl_s": finite, "seq": whole},
    m.Acted: {"id": whole, "time": finite, "inference_s": finite},
    m.Swap: {"id": whole, "model": token, "file": token},
    m.Swapped: {"id": whole, "time": finite, "model": token, "file": token, "sha256": token},
    m.Error: {
        "id": whole,
        "time": finite,
        "code": st.sampled_from(get_args(m.ErrorCode)),
        "message": st.text(),
        "fix": st.text(),
    },
    m.Telemetry: {
        "seq": whole,
        "time": finite,
        "tick": whole,
        "mode": st.sampled_from(get_args(m.Mode)),
        "lease_holder": st.none() | text,
        "command": st.none() | text,
        "command_expires": maybe,
        "command_seq": whole,
        "joint_position": maybes,
        "joint_velocity": maybes,
        "joint_setpoint": maybes,
        "end_effector_position": maybes,
        "end_effector_velocity": maybes,
        "gripper_width": maybe,
        "objects": st.dictionaries(
            text, st.builds(m.ObjectState, position=maybes, quaternion=maybes), max_size=3
        ),
        "skill": st.none() | maybes,
        "goal": st.none() | vector,
        "action": st.none() | maybes,
        "context": st.none() | maybes,
        "scene": st.none() | st.dictionaries(text, finite, max_size=3),
        "goal_distance": maybe,
        "goal_status": st.none() | st.sampled_from(get_args(m.GoalStatus)),
        "timing": st.builds(
            m.Timing,
            **dict.fromkeys(m.Timing.model_fields, whole)
            | {
                "wakeup_latency_le_us": st.lists(finite).map(tuple),
                "wakeup_latency_count": st.lists(whole).map(tuple),
            },
        ),
        "counters": counts,
        "last_event": st.text(),
        "not_finite": st.lists(text).map(tuple),
    },
    m.PolicyStep: {
        **dict.fromkeys(("step", "tick", "state_age"), whole),
        **dict.fromkeys(("observation", "action"), vector),
        **dict.fromkeys(("previous_action", "skill", "goal"), st.none() | vector),
        "time": finite,
    },
    m.Commanded: {
        "seq": whole,
        "time": finite,
        "client": text,
        "lease": st.none() | token,
        "command": st.dictionaries(text, whole | text | st.booleans(), max_size=3),
        "result": st.sampled_from(("ok", *get_args(m.ErrorCode))),
        "message": st.text(),
    },
}

anything = st.one_of(st.builds(kind, **fields) for kind, fields in FIELDS.items())


@given(anything)
def test_every_message_round_trips(message: BaseModel) -> None:
    assert unpack(pack(message), m.ANY_MESSAGE) == (message, {})


def test_every_message_is_tested_above() -> None:
    # A welcome carries a manifest; test_manifest.py tests it.
    welcomes = {"welcome", "policy_service"}
    covered = {kind.model_fields["type"].default for kind in FIELDS} | welcomes
    assert covered == set(m.ANY_MESSAGE.json_schema()["discriminator"]["mapping"])


def valid(kind: str) -> dict[str, Any]:
    """A small valid command of this type, as a client would write it."""
    head: dict[str, Any] = {"v": 1, "type": kind, "id": 7}
    lease = {"lease": "aa"}
    moving = {**lease, "seq": 1, "reference_time": 1.5, "valid_for_s": 0.2}
    return (
        head
        | {
            "hello": {},
            "acquire": {"holder": "me"},
            "renew": lease,
            "skill": {**moving, "skill": [1, 0]},
            "goal": {**moving, "goal": [0.1, 0.0]},
            "servo_pose": {**moving, "end_effector_position": [0.1, 0, 0.2]},
            "reset": {**lease, "seq": 1, "reference_time": 1.5},
            "scene": {**lease, "seq": 1, "reference_time": 1.5},
            "act": {"session": "s"},
        }[kind]
    )


BAD_FIELDS = [
    ("hello", "id", -1),
    ("hello", "id", 2**53 + 1),
    ("hello", "id", "7"),
    ("hello", "id", True),
    ("hello", "client", "x" * 257),
    ("hello", "client", 5),
    ("hello", "clientt", ""),
    ("acquire", "ttl_s", 0.05),
    ("acquire", "ttl_s", 61),
    ("acquire", "ttl_s", math.nan),
    ("acquire", "ttl_s", "1"),
    ("renew", "lease", ""),
    ("renew", "lease", "x" * 65),
    ("skill", "skill", [0.0] * 1025),
    ("skill", "skill", [1, math.nan]),
    ("skill", "skill", [1, math.inf]),
    ("skill", "skill", [1, None]),
    ("skill", "skill", [True, False]),
    ("skill", "skill", "10"),
    ("skill", "seq", -1),
    ("skill", "seq", 1.5),
    ("skill", "reference_time", math.inf),
    ("skill", "reference_time", None),
    ("skill", "valid_for_s", 0),
    ("skill", "valid_for_s", 61),
    ("skill", "gripper_width", -0.01),
    ("skill", "grasp", 1),
    ("goal", "goal", [-math.inf, 0]),
    ("servo_pose", "end_effector_position", [0.1, 0.2]),
    ("servo_pose", "end_effector_position", [0.1, 0.2, 0.3, 0.4]),
    ("reset", "seed", -1),
    ("reset", "seed", 2**32),
    ("scene", "mass", 0),
    ("scene", "mass", math.nan),
    ("scene", "friction", 0),
    ("act", "session", ""),
    ("act", "arrays", [{"name": "a", "dtype": "float16", "shape": [1]}]),
    ("act", "arrays", [{"name": "a", "dtype": "float32", "shape": [-1]}]),
    ("act", "arrays", [{"name": "a", "dtype": "float32", "shape": [1] * 5}]),
    ("act", "arrays", [{"name": "a", "dtype": "float32", "shape": [65537]}]),
    ("act", "arrays", [{"name": "a", "dtype": "float32", "shape": [0]}] * 9),
]


@pytest.mark.parametrize(("kind", "field", "value"), BAD_FIELDS)
def test_a_bad_field_is_named_and_the_id_echoed(kind: str, field: str, value: object) -> None:
    unpack([json.dumps(valid(kind)).encode()], m.COMMAND)
    with pytest.raises(WireError, match=field) as caught:
        unpack([json.dumps(valid(kind) | {field: value}).encode()], m.COMMAND)
    assert caught.value.code == "invalid"
    assert caught.value.message_id == (0 if field == "id" else 7)


@pytest.mark.parametrize("kind", ["acquire", "renew", "goal", "act"])
def test_a_missing_field_is_named(kind: str) -> None:
    for field in set(valid(kind)) - {"v", "type", "id", "ttl_s"}:
        message = {name: value for name, value in valid(kind).items() if name != field}
        with pytest.raises(WireError, match=rf"{field}: Field required"):
            unpack([json.dumps(message).encode()], m.COMMAND)


@pytest.mark.parametrize("missing", ["lease", "seq", "reference_time"])
def test_a_scene_is_under_a_lease_or_not_at_all(missing: str) -> None:
    whole = valid("scene")
    part = {name: value for name, value in whole.items() if name != missing}
    with pytest.raises(WireError, match="lease, seq and reference_time go together") as caught:
        unpack([json.dumps(part).encode()], m.COMMAND)
    assert caught.value.code == "invalid"
    message, _ = unpack([b'{"type": "scene", "mass": 2.0}'], m.COMMAND)
    assert isinstance(message, m.Scene)
    assert message.lease is None


def test_the_longest_vector_fits_a_header() -> None:
    longest = {**valid("skill"), "skill": [-1.2345678901234567e-100] * 1024}
    header = json.dumps(longest, separators=(",", ":")).encode()
    assert len(header) <= MAX_HEADER_BYTES
    message, _ = unpack([header], m.COMMAND)
    assert isinstance(message, m.Skill)
    assert len(message.skill) == 1024


def test_minus_zero_and_the_smallest_number_survive() -> None:
    extremes = (-0.0, 5e-324, 1.7976931348623157e308)
    sent = m.Goal(lease="a", seq=0, reference_time=0.0, valid_for_s=1.0, goal=extremes)
    got, _ = unpack(pack(sent), m.COMMAND)
    assert isinstance(got, m.Goal)
    assert got.goal == extremes
    assert math.copysign(1, got.goal[0]) == -1


def test_numbers_that_are_not_finite_leave_as_null() -> None:
    pose = m.ObjectState(position=(math.nan, 0.0, math.inf), quaternion=(1.0, 0.0, 0.0, 0.0))
    assert json.loads(pose.model_dump_json())["position"] == [None, 0.0, None]


def test_a_client_ignores_fields_that_a_newer_server_adds() -> None:
    reply, _ = unpack([b'{"type":"ok","id":1,"time":2.5,"load":0.3}'], m.REPLY)
    assert reply == m.Ok(id=1, time=2.5)
