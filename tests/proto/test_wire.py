"""Frames to messages: all input gives a message or a WireError, at bounded cost."""

from __future__ import annotations

import json
import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skill_proto.arrays import FloatArray
from skill_proto.messages import (
    ANY_MESSAGE,
    COMMAND,
    MAX_ID,
    REPLY,
    Act,
    ArraySpec,
    Error,
    Hello,
    Stop,
)
from skill_proto.wire import (
    MAX_HEADER_BYTES,
    MAX_PARTS,
    WireError,
    array_specs,
    pack,
    unpack,
)


def refusal(*frames: bytes) -> WireError:
    with pytest.raises(WireError) as caught:
        unpack(frames, COMMAND)
    error = caught.value
    assert len(str(error)) < 2500
    assert error.fix
    return error


@given(st.lists(st.binary(max_size=200), max_size=12))
def test_arbitrary_bytes_raise_nothing_but_wire_error(frames: list[bytes]) -> None:
    for kind in (COMMAND, REPLY, ANY_MESSAGE):
        with suppress(WireError):  # hypothesis also tries the messages in the source code
            unpack(frames, kind)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "v": json_values,
        "id": json_values,
        "type": json_values | st.sampled_from(["hello", "skill", "act", "acquire"]),
        "lease": json_values,
        "skill": json_values,
        "session": json_values,
        "arrays": json_values,
    },
)


@given(headers, st.lists(st.binary(max_size=20), max_size=3))
def test_arbitrary_json_raises_nothing_but_wire_error(
    header: dict[str, object], tail: list[bytes]
) -> None:
    refused: WireError | None = None
    try:
        unpack([json.dumps(header).encode(), *tail], COMMAND)
    except WireError as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.message_id <= MAX_ID
        # The refusal itself must be fit to send.
        pack(Error(time=0.0, code=refused.code, message=str(refused), fix=refused.fix))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b'{"type":"hello"}\x00',
        b'\xef\xbb\xbf{"type":"hello"}',
        '{"type":"hello"}'.encode("utf-16"),
        b"[" * 20_000,
        b'{"type":' + b"[" * 15_000 + b"]" * 15_000 + b"}",
        b'{"type":"hello","id":' + b"9" * 20_000 + b"}",
        b'{"type":"hello","client":"\\ud800"}',
        b"{'type':'hello'}",
    ],
    ids=lambda header: repr(header[:20]),
)
def test_a_header_that_is_not_json_is_malformed(header: bytes) -> None:
    assert refusal(header).code == "malformed"


@pytest.mark.parametrize("header", [b"null", b"5", b"[]", b'"hello"'])
def test_json_that_is_no_object_is_invalid(header: bytes) -> None:
    assert refusal(header).code == "invalid"


@pytest.mark.parametrize("version", [0, 2, "1", 1.5])
def test_another_version_is_named_before_other_faults(version: object) -> None:
    header = {"v": version, "id": 3, "type": "teleport", "speed": 9}
    error = refusal(json.dumps(header).encode())
    assert error.code == "wrong_version"
    assert error.message_id == 3
    assert repr(version) in str(error)


@pytest.mark.parametrize("kind", ["teleport", "stop", "telemetry", "ok", "", None, 5, [], {}])
def test_an_unknown_type_is_refused_with_the_known_ones(kind: object) -> None:
    error = refusal(json.dumps({"id": 3, "type": kind}).encode())
    assert error.code == "unknown_type"
    assert error.message_id == 3
    assert "'skill'" in error.fix or kind is None


def test_a_repeated_key_counts_once_the_last_time() -> None:
    message, _ = unpack([b'{"type":"skill","type":"hello"}'], COMMAND)
    assert isinstance(message, Hello)


@pytest.mark.parametrize(
    "header",
    [
        b'{"type":"' + b"a" * 30_000 + b'"}',
        b'{"type":"hello","' + b"k" * 30_000 + b'":1}',
        b'{"type":"hello","client":"' + b"c" * 30_000 + b'"}',
        b'{"v":"' + b"1" * 30_000 + b'","type":"hello"}',
        b'{"type":"hello",' + b",".join(b'"%d":1' % i for i in range(3000)) + b"}",
        b'{"type":"skill","skill":[' + b'"x",' * 1000 + b"0]}",
        b'{"type":"skill","skill":[' + b"[]," * 1000 + b"0]}",
        b'{"type":"act","session":"s","arrays":[' + b"1," * 15_000 + b"1]}",
    ],
    ids=lambda header: repr(header[:24]),
)
def test_a_hostile_header_gets_a_short_answer(header: bytes) -> None:
    assert len(header) <= MAX_HEADER_BYTES
    refusal(header)


def test_a_header_above_the_limit_of_its_reader_is_refused_unread() -> None:
    header = b'{"type":"hello"' + b" " * MAX_HEADER_BYTES + b"}"
    assert refusal(header).code == "too_large"
    message, _ = unpack([header], COMMAND, max_header_bytes=2 * MAX_HEADER_BYTES)
    assert message == Hello()


@pytest.mark.parametrize("count", [0, MAX_PARTS + 1, 1000])
def test_the_number_of_frames_is_bounded(count: int) -> None:
    assert refusal(*[b'{"type":"hello"}'] * count).code == "malformed"


def test_a_stop_is_only_read_if_it_is_expected() -> None:
    stop = Stop(id=4, reason="an obstacle")
    assert unpack(pack(stop), ANY_MESSAGE) == (stop, {})
    assert refusal(*pack(stop)).code == "unknown_type"


shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
finite_arrays = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(dtype, shapes, elements={"allow_nan": False, "allow_infinity": False})
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), finite_arrays, max_size=8))
def test_arrays_follow_the_header(arrays: dict[str, FloatArray]) -> None:
    message = Act(session="s", arrays=array_specs(arrays))
    got, got_arrays = unpack(pack(message, arrays), COMMAND)
    assert got == message
    assert list(got_arrays) == list(arrays)
    for name, array in arrays.items():
        assert got_arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(got_arrays[name], array, strict=True)


def test_an_array_frame_is_little_endian_in_c_order() -> None:
    array = np.asfortranarray(np.array([[1.0, 2.0], [3.0, 4.0]], dtype=">f4"))
    frame = pack(Act(session="s", arrays=array_specs({"a": array})), {"a": array})[1]
    assert frame == bytes.fromhex("0000803f000000400000404000008040")


def act(*arrays: tuple[str, str, list[int]]) -> bytes:
    specs = [{"name": name, "dtype": dtype, "shape": shape} for name, dtype, shape in arrays]
    return json.dumps({"type": "act", "id": 5, "session": "s", "arrays": specs}).encode()


NAN = np.array([math.nan], dtype="<f4").tobytes()


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ((act(("a", "float32", [2])),), "malformed"),
        ((act(("a", "float32", [2])), b"1234"), "malformed"),
        ((act(("a", "float32", [1])), b"1234", b"1234"), "malformed"),
        ((act(("a", "float32", [65536] * 4)), b""), "malformed"),
        ((act(("a", "float32", [1])), NAN), "invalid"),
        ((act(("a", "float32", [1]), ("a", "float32", [1])), b"1234", b"1234"), "invalid"),
        ((b'{"type":"hello","id":5}', b"1234"), "malformed"),
    ],
    ids=["missing", "short", "surplus", "huge", "nan", "twice", "unnamed"],
)
def test_frames_must_match_the_header(frames: tuple[bytes, ...], code: str) -> None:
    error = refusal(*frames)
    assert error.code == code
    assert error.message_id == 5


def test_pack_refuses_arrays_that_the_message_does_not_name() -> None:
    one = np.zeros(1, np.float32)
    spec = ArraySpec(name="a", dtype="float32", shape=(1,))
    for message, arrays in [
        (Hello(), {"a": one}),
        (Act(session="s"), {"a": one}),
        (Act(session="s", arrays=(spec,)), {}),
        (Act(session="s", arrays=(spec,)), {"b": one}),
        (Act(session="s", arrays=(spec,)), {"a": np.zeros(2, np.float32)}),
    ]:
        with pytest.raises(ValueError, match="names arrays"):
            pack(message, arrays)
