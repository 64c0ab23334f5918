"""Slots of the policy, assigned to sessions."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import pytest

from skill_proto.wire import WireError
from skill_runtime.policy_service.config import MAX_ROWS
from skill_runtime.policy_service.sessions import (
    EVICTABLE_AFTER_S,
    MAX_CONNECTIONS,
    MAX_LOST,
    PolicySessions,
    Session,
)

IDLE_S = EVICTABLE_AFTER_S + 0.1


class Table:
    """Sessions over six slots, on a clock of their own."""

    def __init__(self) -> None:
        self.resets: Counter[int] = Counter()
        self.now = 0.0
        self.sessions = PolicySessions(6, lambda slot: self.resets.update([slot]))

    def ask(
        self, name: str, rows: int = 1, episode: int | None = 0, connection: bytes = b"A"
    ) -> Session:
        return self.sessions.acquire(connection, name, episode, rows, self.now)

    def code(
        self, name: str, rows: int = 1, episode: int | None = 0, connection: bytes = b"A"
    ) -> tuple[str, str]:
        """Returns code and text of a refusal."""
        with pytest.raises(WireError) as caught:
            self.ask(name, rows, episode, connection)
        assert caught.value.fix
        return caught.value.code, str(caught.value)


@pytest.fixture
def table() -> Table:
    return Table()


def test_sessions_have_separate_slots_and_keep_them(table: Table) -> None:
    first, second = table.ask("a", 2), table.ask("b", 3)
    assert not set(first.slots) & set(second.slots)
    assert table.ask("a", 2) is first
    assert set(table.resets) == {*first.slots, *second.slots}
    assert set(table.resets.values()) == {1}


def test_a_session_without_an_episode_belongs_to_its_connection(table: Table) -> None:
    own = table.ask("a", episode=None, connection=b"A")
    other = table.ask("a", episode=None, connection=b"B")
    assert own is not other
    assert table.ask("a", episode=None, connection=b"A") is own


def test_an_episode_is_shared_by_every_connection_that_names_it(table: Table) -> None:
    shared = table.ask("a", episode=3, connection=b"A")
    assert table.ask("a", episode=3, connection=b"B") is shared
    assert table.ask("a", episode=4, connection=b"C") is not shared


def test_half_of_the_rows_survive_a_new_connection_and_all_do_with_an_episode(
    table: Table,
) -> None:
    for name in ("a", "b", "c"):
        table.ask(name, episode=None, connection=b"old")
    for name in ("a", "b", "c"):
        table.ask(name, episode=None, connection=b"new")
    code, text = table.code("d", episode=None, connection=b"new")
    assert code == "busy"
    assert "6 of 6 are in use" in text
    table.now = IDLE_S
    for connection in (b"old", b"new"):
        for name in "abcdef":
            table.ask(name, episode=1, connection=connection)


def test_the_plan_of_rows_in_the_documents() -> None:
    text = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert f"at most\n{MAX_ROWS // 2} rows per process" in text
    assert 90 + 4 * math.sqrt(90) <= MAX_ROWS / 2
    assert f"in use for {EVICTABLE_AFTER_S:g} s" in text


def test_a_new_episode_frees_the_slots_of_the_one_before(table: Table) -> None:
    for episode in range(50):
        sessions = [table.ask(name, 3, episode) for name in ("a", "b")]
        assert sorted(slot for session in sessions for slot in session.slots) == list(range(6))
        assert [session.steps for session in sessions] == [0, 0]


def test_returning_to_an_earlier_episode_starts_it_anew(table: Table) -> None:
    first = table.ask("a", episode=1)
    table.ask("a", episode=2)
    assert table.ask("a", episode=1) is not first


def test_an_episode_goes_on_for_the_other_connections_that_share_it(table: Table) -> None:
    shared = table.ask("a", 2, episode=1, connection=b"A")
    table.ask("a", 2, episode=1, connection=b"B")
    table.ask("a", 2, episode=2, connection=b"A")
    assert table.ask("a", 2, episode=1, connection=b"B") is shared
    table.ask("a", 2, episode=2, connection=b"B")  # joins, and was the last to leave episode 1
    assert table.sessions.rows_in_use == 2


def test_a_connection_ends_no_session_of_another(table: Table) -> None:
    own = table.ask("a", episode=None, connection=b"B")
    numbered = table.ask("a", episode=7, connection=b"C")
    for episode in range(20, 40):
        table.ask("a", episode=episode, connection=b"A")
    assert table.ask("a", episode=None, connection=b"B") is own
    assert table.ask("a", episode=7, connection=b"C") is numbered


def test_sessions_in_use_are_not_evicted_by_others(table: Table) -> None:
    first, second = table.ask("a", 3, None, b"A"), table.ask("b", 2, None, b"B")
    for _ in range(60):
        table.now += 1.0
        code, text = table.code("c", 2, None, b"C")
        assert code == "busy"
        assert "5 of 6 are in use by 2 sessions" in text
        assert table.ask("a", 3, None, b"A") is first
        assert table.ask("b", 2, None, b"B") is second


def test_a_refused_session_changes_no_other(table: Table) -> None:
    idle = table.ask("idle", 2, None, b"A")
    table.now += IDLE_S
    earlier = table.ask("a", 2, 1, b"B")
    table.ask("b", 2, None, b"C")
    assert table.code("a", 5, 2, b"B")[0] == "busy"  # 2 idle and 2 of its own are too few
    assert table.ask("idle", 2, None, b"A") is idle
    assert table.ask("a", 2, 1, b"B") is earlier


@pytest.mark.parametrize("episode", [None, 5])
def test_an_evicted_session_is_refused_exactly_once(table: Table, episode: int | None) -> None:
    lost = table.ask("lost", 3, episode, b"A")
    table.now += IDLE_S
    table.ask("kept", 3, None, b"B")
    table.ask("new", 2, None, b"C")
    code, text = table.code("lost", 1, episode, b"A")
    assert code == "session_lost"
    assert "idle for more than 10 s" in text
    assert "'lost'" in text
    again = table.ask("lost", 1, episode, b"A")
    assert again is not lost
    assert again.steps == 0


def test_only_as_many_sessions_are_evicted_as_needed_the_oldest_first(table: Table) -> None:
    kept = {}
    for name in ("a", "b", "c"):
        kept[name] = table.ask(name, 2)
        table.now += 0.1
    table.ask("a", 2)
    table.now += IDLE_S
    table.ask("new", 2)
    assert table.ask("a", 2) is kept["a"]
    assert table.ask("c", 2) is kept["c"]
    assert table.code("b", 2)[0] == "session_lost"


def test_a_new_episode_of_an_evicted_session_is_not_refused(table: Table) -> None:
    table.ask("lost", 3, 5)
    table.now += IDLE_S
    table.ask("new", 6, None, b"B")
    table.now += IDLE_S
    assert table.ask("lost", 3, 6).steps == 0


def test_an_idle_session_stays_as_long_as_its_slots_are_not_needed(table: Table) -> None:
    first = table.ask("a", 2)
    table.now += 1e6
    table.ask("b", 4)
    assert table.ask("a", 2) is first


def test_the_number_of_rows_stays_the_same_within_an_episode(table: Table) -> None:
    table.ask("a", 2)
    code, text = table.code("a", 3)
    assert code == "invalid"
    assert "2 rows, now 3" in text
    assert len(table.ask("a", 3, 1).slots) == 3


def test_too_many_rows_are_refused_and_affect_no_other_session(table: Table) -> None:
    session = table.ask("a", 2)
    code, text = table.code("b", 7)
    assert code == "invalid"
    assert "7 rows, but all sessions of this server together have 6" in text
    assert table.ask("a", 2) is session


def test_the_memory_of_lost_sessions_and_of_connections_is_bounded(table: Table) -> None:
    for number in range(3 * MAX_LOST):
        table.now += IDLE_S
        table.ask(f"s{number}", 6, None)
    table.now += IDLE_S
    shared = table.ask("shared", 1, 0)
    for number in range(3 * MAX_CONNECTIONS):
        assert table.ask("shared", 1, 0, b"%d" % number) is shared
    assert len(shared.connections) == MAX_CONNECTIONS
    assert table.code(f"s{3 * MAX_LOST - 1}", 6, None)[0] == "session_lost"
    assert table.code("s0", 6, None)[0] == "busy"  # forgotten; its reply would have 1 step


def test_a_long_name_is_cut_and_escaped_in_the_text(table: Table) -> None:
    code, text = table.code("\x1b[2J" + "x" * 1000, 7)
    assert code == "invalid"
    name = "\x1b\u202e" + "x" * 1000
    table.ask(name, 1)
    _, text = table.code(name, 2)
    assert text.isprintable()
    assert len(text) < 200


def test_slots_are_never_shared_or_leaked(table: Table) -> None:
    draw = random.Random(0)
    known: dict[tuple[bytes, str, int | None], Session] = {}
    for _ in range(5000):
        table.now += draw.choice([0.01, 0.01, 0.01, 2.0, 20.0])
        connection, name = draw.choice([b"A", b"B", b"C"]), draw.choice(["a", "b"])
        episode = draw.choice([None, 0, 1])
        try:
            session = table.ask(name, draw.randint(1, 4), episode, connection)
        except WireError:
            continue
        key = (b"" if episode is not None else connection, name, episode)
        known[key] = session
        for other_key, other in list(known.items()):
            if other_key != key and set(other.slots) & set(session.slots):
                del known[other_key]  # it has ended, so its slots may be assigned again
        held = [slot for other in known.values() for slot in other.slots]
        assert len(held) == len(set(held))
        assert len(session.slots) <= table.sessions.rows_in_use <= 6
