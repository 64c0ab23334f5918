"""Arguments of a call become a message, or are refused before anything is sent."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.messages import Acquire
from skill_runtime.client import CommandRefusedError
from skill_runtime.client.requests import make_request, to_vector


def test_fields_become_a_message() -> None:
    assert make_request(Acquire, holder="me") == Acquire(holder="me")


def test_an_invalid_field_is_named() -> None:
    with pytest.raises(CommandRefusedError, match="ttl_s") as caught:
        make_request(Acquire, holder="me", ttl_s=1e9)
    assert caught.value.code == "invalid"


def test_an_array_becomes_a_vector() -> None:
    assert to_vector(np.array([1, 2], np.int64)) == (1.0, 2.0)


@pytest.mark.parametrize("values", [1.0, [[1.0, 2.0]]])
def test_an_array_of_another_dimension_is_refused(values: object) -> None:
    with pytest.raises(CommandRefusedError, match="expected a vector"):
        to_vector(values)  # type: ignore[arg-type]  the error under test
