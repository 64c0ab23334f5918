"""Arguments of a call become a message, or are refused before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from skill_proto.messages import Acquire, Hello, Reset, Scene
from skill_runtime.client import (
    CommandRefusedError,
    InvalidAddressError,
    InvalidUseError,
    ServerUnreachableError,
    SkillClient,
)
from skill_runtime.client.aio import AsyncSkillClient
from skill_runtime.client.policy.knowledge import Knowledge
from skill_runtime.client.requests import make_request, to_arrays, to_vector

NOWHERE = "tcp://127.0.0.1:1"


def test_fields_become_a_message() -> None:
    assert make_request(Acquire, holder="me") == Acquire(holder="me")


def test_an_invalid_field_is_named() -> None:
    with pytest.raises(CommandRefusedError, match="ttl_s") as caught:
        make_request(Acquire, holder="me", ttl_s=1e9)
    assert caught.value.code == "invalid"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Scene, {"mass": 10**400}),
        (Scene, {"mass": "heavy"}),
        (Scene, {"mass": torch.ones(3)}),
        (Reset, {"lease": "x", "seq": 1, "reference_time": 0.0, "seed": 1.5}),
        (Acquire, {"holder": "\ud800"}),
        (Acquire, {"holder": None}),
        (Acquire, {"holder": "x" * 300}),
        (Hello, {"surplus": 1}),
    ],
    ids=str,
)
def test_an_argument_that_cannot_be_sent_is_refused(
    kind: type[Any], fields: dict[str, object]
) -> None:
    with pytest.raises(CommandRefusedError) as caught:
        make_request(kind, **fields)
    assert caught.value.code == "invalid"
    assert str(caught.value).isprintable()


def test_numbers_of_other_libraries_are_numbers() -> None:
    assert make_request(Scene, mass=np.float32(0.5)).mass == 0.5
    assert make_request(Scene, mass=torch.tensor(0.5)).mass == 0.5
    assert make_request(Acquire, holder="me", priority=np.int64(3)).priority == 3


# Vectors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, 2], np.int64),
        torch.tensor([1.0, 2.0]),
        np.ma.masked_array([1.0, 2.0], mask=[False, False]),
        (np.float32(1), 2),
        [Fraction(1), Fraction(2)],
    ],
    ids=["int64", "torch", "unmasked", "scalars", "fractions"],
)
def test_an_array_becomes_a_vector(values: Any) -> None:  # noqa: ANN401  any array
    assert to_vector(values) == (1.0, 2.0)


def test_single_precision_does_not_leave_a_bound() -> None:
    assert to_vector(np.float32([0.15, -0.3, 1e-8])) == (0.15, -0.3, 1e-8)
    assert to_vector(np.float16([0.1])) == (0.1,)
    assert to_vector(np.float64([0.1 + 0.2])) == (0.1 + 0.2,)


@pytest.mark.parametrize("values", [1.0, [[1.0, 2.0]]])
def test_an_array_of_another_dimension_is_refused(values: object) -> None:
    with pytest.raises(CommandRefusedError, match="expected a vector"):
        to_vector(values)  # type: ignore[arg-type]  the error under test


UNREADABLE: dict[str, Callable[[], object]] = {
    "grad": lambda: torch.nn.Parameter(torch.tensor([1.0, 0.0])),
    "bfloat16": lambda: torch.tensor([1.0, 0.0], dtype=torch.bfloat16),
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "generator": lambda: (x for x in [1.0, 0.0]),
    "masked": lambda: np.ma.masked_array([1.0, 2.0], mask=[False, True]),
    "masked entry": lambda: [1.0, np.ma.masked],
    "text": lambda: "10",
    "texts": lambda: ["1", "0"],
    "bytes": lambda: b"10",
    "none": lambda: None,
    "none inside": lambda: [1.0, None],
    "dictionary": lambda: {"a": 1.0},
    "set": lambda: {1.0, 2.0},
    "complex": lambda: [1j, 0.0],
    "huge": lambda: [10**400, 0],
    "dates": lambda: np.array(["2020-01-01"], "datetime64[D]"),
    "object": lambda: object(),
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.filterwarnings("ignore:.*masked element")
def test_values_that_are_not_numbers_are_refused(name: str) -> None:
    values: Any = UNREADABLE[name]()
    with pytest.raises(CommandRefusedError) as caught:
        to_vector(values)
    assert caught.value.code == "invalid"
    if values is not None:
        with pytest.raises(CommandRefusedError, match="'observation'"):
            to_arrays({"observation": values})


# Arrays -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((1, 3), np.nan), "NaN"),
        ([[math.inf]], "infinity"),
        (np.array([[1e300]]), "beyond float32"),
        (np.zeros((70_000, 1)), "65536"),
        (np.zeros((1, 1, 1, 1, 1)), "4 axes"),
    ],
    ids=["nan", "infinity", "large", "rows", "axes"],
)
def test_an_array_that_cannot_be_sent_is_named(values: Any, said: str) -> None:  # noqa: ANN401  wrong types
    with pytest.raises(CommandRefusedError, match=said) as caught:
        to_arrays({"skill": values})
    assert "'skill'" in str(caught.value)


def test_arrays_that_are_not_given_are_left_out() -> None:
    arrays = to_arrays({"observation": [[1, 2]], "skill": None})
    assert [*arrays] == ["observation"]
    assert arrays["observation"].dtype == np.float32


# The constructor ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SkillClient, AsyncSkillClient])
@pytest.mark.parametrize(
    "timeout_s",
    [None, math.inf, -math.inf, math.nan, 0, -1, 1e9, "2", True, [2.0], 1j, np.nan],
    ids=repr,
)
def test_a_timeout_that_no_call_can_keep_is_refused(kind: type[Any], timeout_s: object) -> None:
    with pytest.raises(InvalidUseError, match="timeout_s takes a number of seconds above 0"):
        kind(NOWHERE, timeout_s=timeout_s)


@pytest.mark.parametrize("timeout_s", [1, 0.5, np.float32(0.5), np.int64(2), 3600, 1e-9])
def test_other_timeouts_are_kept(timeout_s: Any) -> None:  # noqa: ANN401  any number
    client = SkillClient(NOWHERE, timeout_s=timeout_s)
    assert client.timeout_s == timeout_s
    if timeout_s < 1:
        for call in (client.hello, client.state, client.stop, lambda: client.acquire("me")):
            with pytest.raises(ServerUnreachableError):
                call()


@pytest.mark.parametrize("address", [None, 5555, b"tcp://127.0.0.1:1", ["tcp://127.0.0.1:1"]])
def test_an_address_that_is_not_a_text_is_refused(address: Any) -> None:  # noqa: ANN401  wrong types
    with pytest.raises(InvalidAddressError, match="tcp://HOST:PORT"):
        SkillClient(address)


@pytest.mark.parametrize("name", ["telemetry_address", "stop_address"])
def test_the_other_addresses_are_checked_too(name: str) -> None:
    with pytest.raises(InvalidAddressError, match="its port is not a number from 1 to 65535"):
        SkillClient(NOWHERE, **{name: "tcp://127.0.0.1:99999"})  # type: ignore[arg-type]
    SkillClient(NOWHERE, **{name: None}).close()  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["tcp://a\x00b:1", "tcp://\ud800:1"])
def test_an_address_that_cannot_be_used_is_refused_by_a_call(address: str) -> None:
    client = SkillClient(address, timeout_s=0.3)
    for call in (client.hello, client.state, client.stop):
        with pytest.raises(InvalidAddressError) as caught:
            call()
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", [None, "x" * 1000, "\ud800\n", 3])
def test_any_name_is_accepted(name: Any) -> None:  # noqa: ANN401  wrong types
    SkillClient(NOWHERE, name=name).close()


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, 10**400, "soon"])
def test_a_deadline_that_is_no_time_is_named(seconds: float) -> None:
    with pytest.raises(
        CommandRefusedError, match="deadline_s takes a finite number of seconds"
    ) as e:
        Knowledge(NOWHERE, 1.0, "test").deadline(seconds)
    assert e.value.code == "invalid"


def test_a_deadline_may_have_passed() -> None:
    known = Knowledge(NOWHERE, 1.0, "test")
    assert known.deadline(None) is None
    early, late = known.deadline(-1.0), known.deadline(1)
    assert early is not None
    assert late is not None
    assert early < late
