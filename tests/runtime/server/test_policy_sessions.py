"""Slots of the policy service, lent to sessions by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from skill_proto.wire import WireError
from skill_runtime.policy.onnx_policy import OnnxPolicy
from skill_runtime.server.policy_sessions import Sessions


@pytest.fixture
def sessions(policy_file: Path) -> Sessions:
    return Sessions(OnnxPolicy(policy_file, slots=6))


def test_sessions_have_slots_of_their_own_and_keep_them(sessions: Sessions) -> None:
    first, second = sessions.slots("a", 0, 2), sessions.slots("b", 0, 3)
    assert not set(first) & set(second)
    assert sessions.slots("a", 0, 2) == first
    assert sessions.running("a", 0)
    assert not sessions.running("a", 1)
    assert not sessions.running("c", 0)


def test_the_session_unused_for_longest_makes_room(sessions: Sessions) -> None:
    sessions.slots("a", 0, 3)
    sessions.slots("b", 0, 3)
    sessions.slots("a", 0, 3)
    sessions.slots("c", 0, 1)
    assert sessions.running("a", 0)
    assert not sessions.running("b", 0)


def test_slots_are_neither_lost_nor_lent_twice(sessions: Sessions) -> None:
    for episode in range(50):
        held = {name: sessions.slots(name, episode, 2) for name in ("a", "b", "c")}
        assert sorted(slot for slots in held.values() for slot in slots) == list(range(6))


def test_a_new_episode_may_have_other_rows(sessions: Sessions) -> None:
    sessions.slots("a", 0, 2)
    with pytest.raises(WireError, match="2 rows, now 3"):
        sessions.slots("a", 0, 3)
    assert len(sessions.slots("a", 1, 3)) == 3


def test_too_many_rows_are_refused_and_disturb_nobody(sessions: Sessions) -> None:
    sessions.slots("a", 0, 2)
    with pytest.raises(WireError, match="7 rows exceed the 6"):
        sessions.slots("b", 0, 7)
    assert sessions.running("a", 0)
