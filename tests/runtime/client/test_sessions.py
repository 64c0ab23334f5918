"""A session whose recurrent state is lost or shared is never used in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.stand_in import StandIn, acted

from skill_proto.messages import Act
from skill_runtime.client import (
    CommandRefusedError,
    ServerUnreachableError,
    SessionLostError,
    SessionSharedError,
    SkillClient,
)
from skill_runtime.client.sessions import MAX_SESSIONS, SessionAges

ROW, SKILL = [[0.0] * 28], [[1.0, 0.0]]


@pytest.fixture
def ages() -> SessionAges:
    return SessionAges()


def check(ages: SessionAges, *steps: int, episode: int | None = None, join: bool = False) -> None:
    for step in steps:
        ages.check("s", episode, step, join=join)


def test_the_ages_of_one_client_follow_its_requests(ages: SessionAges) -> None:
    check(ages, 1, 2, 3)
    check(ages, 1, 2, episode=1)
    check(ages, 1, 2, episode=2)
    check(ages, 1)


def test_a_server_that_names_no_age_is_not_checked(ages: SessionAges) -> None:
    check(ages, 0, 0, 0)


@pytest.mark.parametrize("episode", [None, 3])
def test_a_younger_state_is_lost_and_counted_from_there(
    ages: SessionAges, episode: int | None
) -> None:
    check(ages, 1, 2, 3, episode=episode)
    with pytest.raises(SessionLostError, match="sent 4 requests, and the state has seen 1"):
        check(ages, 1, episode=episode)
    check(ages, 2, 3, episode=episode)


def test_an_older_state_is_shared(ages: SessionAges) -> None:
    with pytest.raises(SessionSharedError, match=r"session 's', episode 3 is shared.*join=True"):
        check(ages, 2, episode=3)
    check(ages, 3, 4, episode=3)
    with pytest.raises(SessionSharedError):
        check(ages, 6, episode=3)


def test_a_session_may_be_shared_on_purpose(ages: SessionAges) -> None:
    check(ages, 2, 3, 7, 9, episode=3, join=True)
    with pytest.raises(SessionLostError):
        check(ages, 1, episode=3, join=True)


def test_a_request_without_a_reply_may_have_been_executed(ages: SessionAges) -> None:
    check(ages, 1, 2, episode=3)
    for _ in range(2):
        ages.lost_reply("s", 3)
    check(ages, 5, episode=3)
    ages.lost_reply("s", 3)
    check(ages, 6, 7, episode=3)
    with pytest.raises(SessionSharedError):
        check(ages, 9, episode=3)


def test_the_number_of_sessions_is_bounded(ages: SessionAges) -> None:
    for i in range(MAX_SESSIONS + 10):
        ages.check(f"s{i}", None, 1, join=False)
    assert len(ages._ages) == MAX_SESSIONS


def test_a_new_episode_takes_the_place_of_the_old_one_alone(ages: SessionAges) -> None:
    for i in range(MAX_SESSIONS):
        ages.check(f"s{i}", 1, 1, join=False)
    ages.check("s9", 2, 1, join=False)
    ages.check("s0", 1, 2, join=False)  # forgotten, it would look shared


# By a client --------------------------------------------------------------------------------------


class Service:
    """The recurrent states of a policy service, by session and episode."""

    def __init__(self, server: StandIn) -> None:
        self.steps: dict[tuple[str, int | None], int] = {}
        self._server = server

    def __call__(self, message: object) -> object:
        if not isinstance(message, Act):
            return None
        if message.session == "evicted":
            return self._server.error("session_lost", "session 'evicted' was dropped")
        if message.session == "refused":
            return self._server.error("invalid", "observation does not fit")
        key = (message.session, message.episode)
        self.steps[key] = self.steps.get(key, 0) + 1
        return acted(self.steps[key])


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn("server") as server:
        server.override = Service(server)  # type: ignore[assignment]
        yield server


@pytest.fixture
def client(server: StandIn) -> Iterator[SkillClient]:
    with SkillClient(server.address, timeout_s=10.0) as client:
        yield client


def act(client: SkillClient, session: str = "s", **options: object) -> None:
    client.act(ROW, session=session, skill=SKILL, **options)  # type: ignore[arg-type]


def test_a_dropped_session_is_raised_once(server: StandIn, client: SkillClient) -> None:
    for _ in range(3):
        act(client)
    server.override.steps.clear()  # type: ignore[attr-defined]
    with pytest.raises(SessionLostError, match="'s'"):
        act(client)
    act(client)
    with pytest.raises(SessionLostError, match=r"call act\(\) again"):
        act(client, "evicted")


def test_two_clients_with_one_name_hear_of_each_other(server: StandIn, client: SkillClient) -> None:
    with SkillClient(server.address, timeout_s=10.0) as other:
        act(client, episode=0)
        with pytest.raises(SessionSharedError):
            act(other, episode=0)
        with pytest.raises(SessionSharedError):
            act(client, episode=0)
        act(client, episode=0, join=True)
        act(other, episode=0, join=True)


def test_an_episode_is_left_out_unless_given(server: StandIn, client: SkillClient) -> None:
    act(client)
    act(client, episode=0)
    assert [message.episode for message in server.heard] == [None, 0]


def test_a_refused_request_is_not_counted(server: StandIn, client: SkillClient) -> None:
    act(client)
    with pytest.raises(CommandRefusedError):
        act(client, "refused")
    act(client)


def test_a_timeout_is_not_mistaken_for_another_program(
    server: StandIn, client: SkillClient
) -> None:
    act(client, episode=1)
    server.replies = False
    client._calls.timeout_s = 0.3
    with pytest.raises(ServerUnreachableError):
        act(client, episode=1)
    server.replies = True
    client._calls.timeout_s = 10.0
    act(client, episode=1)
    act(client, episode=1)
