"""Slots of the policy, assigned to sessions by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from skill_proto.wire import WireError
from skill_runtime.policy import OnnxPolicy
from skill_runtime.server.policy_sessions import PolicySessions


@pytest.fixture
def sessions(policy_file: Path) -> PolicySessions:
    return PolicySessions(OnnxPolicy(policy_file, slots=6))


def test_sessions_have_separate_slots_and_keep_them(sessions: PolicySessions) -> None:
    first, second = sessions.acquire("a", 0, 2), sessions.acquire("b", 0, 3)
    assert not set(first) & set(second)
    assert sessions.acquire("a", 0, 2) == first
    assert sessions.is_running("a", 0)
    assert not sessions.is_running("a", 1)
    assert not sessions.is_running("c", 0)


def test_the_least_recently_used_session_is_evicted(sessions: PolicySessions) -> None:
    sessions.acquire("a", 0, 3)
    sessions.acquire("b", 0, 3)
    sessions.acquire("a", 0, 3)
    sessions.acquire("c", 0, 1)
    assert sessions.is_running("a", 0)
    assert not sessions.is_running("b", 0)


def test_no_slot_is_lost_or_assigned_twice(sessions: PolicySessions) -> None:
    for episode in range(50):
        held = {name: sessions.acquire(name, episode, 2) for name in ("a", "b", "c")}
        assert sorted(slot for slots in held.values() for slot in slots) == list(range(6))


def test_a_new_episode_may_have_another_number_of_rows(sessions: PolicySessions) -> None:
    sessions.acquire("a", 0, 2)
    with pytest.raises(WireError, match="2 rows, now 3"):
        sessions.acquire("a", 0, 3)
    assert len(sessions.acquire("a", 1, 3)) == 3


def test_too_many_rows_are_refused_and_affect_no_other_session(sessions: PolicySessions) -> None:
    sessions.acquire("a", 0, 2)
    with pytest.raises(WireError, match="7 rows exceed the 6"):
        sessions.acquire("b", 0, 7)
    assert sessions.is_running("a", 0)
