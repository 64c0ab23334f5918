"""Prepared calls: those that differ from an earlier one in numbers only, and all others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.policy_services import serving_policies
from tests.support.served import DEADLINE_S

from skill_runtime.client import CommandRefusedError, SessionSharedError
from skill_runtime.client.policy import PolicyClient

MODELS = Path(__file__).parents[4] / "models"
AT_REST = np.zeros((1, 28), np.float32)
GOAL = np.array([[0.1, 0.0]], np.float32)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving_policies({"goal": MODELS / "goal_panda.onnx"}) as serving:
        yield serving.address


def test_every_kind_of_call_continues_the_same_session(address: str) -> None:
    """The second call is prepared; the others differ from it in one way each."""
    moved = np.array([[-0.1, 0.0]], np.float32)
    calls = [
        {"goal": GOAL},
        {"goal": GOAL},
        {"goal": moved},
        {"goal": [[0.1, 0.0]]},
        {"goal": GOAL.astype(np.float64)},
        {"goal": GOAL, "previous_action": np.zeros((1, 3), np.float32)},
        {"goal": GOAL, "deadline_s": 100.0},
        {"goal": GOAL, "deadline_s": -1.0},
        {"goal": GOAL},
    ]
    with (
        PolicyClient(address, timeout_s=DEADLINE_S) as client,
        PolicyClient(address, timeout_s=DEADLINE_S) as plain,
    ):
        for step, arguments in enumerate(calls, 1):
            found = client.act(AT_REST, session="a", **arguments)
            assert client.latest is not None
            assert client.latest.steps == step
            plain._known.prepared.clear()
            usual = {key: value for key, value in arguments.items() if key != "deadline_s"}
            expected = plain.act(AT_REST, session="a", **usual)
            assert found.keys() == expected.keys()
            for name, array in expected.items():
                assert (found[name] == array).all(), (step, name)
        assert (client.round_trips.count, client.round_trips.late) == (9, 1)


def test_a_context_distance_that_appears_later_is_returned(address: str) -> None:
    with PolicyClient(address, timeout_s=DEADLINE_S) as client:
        keys = [frozenset(client.act(AT_REST, session="b", goal=GOAL)) for _ in range(60)]
    assert "context_distance" not in keys[0]
    assert "context_distance" in keys[-1]
    assert keys[10] == keys[20]


def test_a_refusal_leaves_the_session_as_it_was(address: str) -> None:
    with PolicyClient(address, timeout_s=DEADLINE_S) as client:
        for _ in range(3):
            client.act(AT_REST, session="c", goal=GOAL)
        broken = AT_REST.copy()
        broken[0, 3] = np.nan
        with pytest.raises(CommandRefusedError, match="nan"):
            client.act(broken, session="c", goal=GOAL)
        with pytest.raises(CommandRefusedError, match="outside"):
            client.act(AT_REST, session="c", goal=90 * GOAL)
        client.act(AT_REST, session="c", goal=GOAL)
        assert client.latest is not None
        assert client.latest.steps == 4


def test_another_program_in_the_session_is_noticed(address: str) -> None:
    with (
        PolicyClient(address, timeout_s=DEADLINE_S) as one,
        PolicyClient(address, timeout_s=DEADLINE_S) as other,
    ):
        for _ in range(3):
            one.act(AT_REST, session="d", episode=1, goal=GOAL)
        other.act(AT_REST, session="d", episode=1, goal=GOAL, join=True)
        with pytest.raises(SessionSharedError):
            one.act(AT_REST, session="d", episode=1, goal=GOAL)
