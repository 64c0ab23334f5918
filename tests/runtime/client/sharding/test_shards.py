"""The places of sessions, and the addresses that do not answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import zmq
from tests.support.router_peer import Peer, ids, ok
from tests.support.served import DEADLINE_S

from skill_runtime.client import (
    Connection,
    HandshakeError,
    InvalidUseError,
    ServerUnreachableError,
    SessionLostError,
)
from skill_runtime.client.sharding.probe import Probe
from skill_runtime.client.sharding.rendezvous import address_of
from skill_runtime.client.sharding.shards import AddressDownError, Shards

A, B, C = "tcp://127.0.0.1:4001", "tcp://127.0.0.1:4002", "tcp://127.0.0.1:4003"


def make_shards(*addresses: str) -> Shards:
    return Shards(addresses, lambda address: Probe(Connection(address, 1.0)))


@pytest.fixture
def shards() -> Iterator[Shards]:
    shards = make_shards(A, B)
    yield shards
    shards.close()


def name_at(address: str, *addresses: str, count: int = 0) -> str:
    """Returns a name of a session that lives at an address; each count gives another one."""
    names = [f"robot {i}" for i in range(1000)]
    return [name for name in names if address_of(name, addresses) == address][count]


def name_that_moves(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """Returns a name of a session that moves from A to C if the list changes."""
    names = (f"robot {i}" for i in range(1000))
    return next(n for n in names if address_of(n, before) == A and address_of(n, after) == C)


def answered(shards: Shards, session: str, episode: int | None = None) -> str:
    with shards.attempt(session, episode) as attempt:
        return attempt.address


def unanswered(shards: Shards, session: str) -> None:
    with pytest.raises(ServerUnreachableError), shards.attempt(session, None) as attempt:
        raise ServerUnreachableError(attempt.address, 1.0)


def test_a_session_stays_at_its_address(shards: Shards) -> None:
    assert [answered(shards, name_at(B, A, B)) for _ in range(3)] == [B] * 3


def test_a_session_that_moves_loses_its_state_once(shards: Shards) -> None:
    moves = name_that_moves((A, B), (A, B, C))
    stays = name_at(A, A, B, C)
    fresh = name_at(C, A, B, C, count=5)
    answered(shards, moves)
    answered(shards, stays)
    assert shards.use([A, B, C]) == ()
    with pytest.raises(SessionLostError, match=f"moved from {A} to {C}"):
        answered(shards, moves)
    assert answered(shards, moves) == C
    assert answered(shards, stays) == A
    assert answered(shards, fresh) == C


def test_a_new_episode_needs_no_earlier_state(shards: Shards) -> None:
    moves = name_that_moves((A, B), (A, B, C))
    answered(shards, moves, episode=1)
    shards.use([A, B, C])
    assert answered(shards, moves, episode=2) == C


def test_an_address_that_is_removed_is_named(shards: Shards) -> None:
    session = name_at(B, A, B)
    answered(shards, session)
    assert shards.use([A]) == (B,)
    with pytest.raises(SessionLostError, match=f"moved from {B} to {A}"):
        answered(shards, session)


def test_a_refused_list_changes_no_address(shards: Shards) -> None:
    with pytest.raises(InvalidUseError):
        shards.use([])
    assert shards.addresses == (A, B)


def test_an_address_without_a_reply_fails_at_once_and_the_others_go_on(shards: Shards) -> None:
    unanswered(shards, name_at(B, A, B))
    assert shards.down == (B,)
    with pytest.raises(AddressDownError, match=f"no answer from {B} .* was not sent"):
        answered(shards, name_at(B, A, B, count=1))
    assert answered(shards, name_at(A, A, B)) == A


def test_one_lost_message_is_no_dead_address(shards: Shards) -> None:
    session, other = name_at(B, A, B), name_at(B, A, B, count=1)
    with suppress(ServerUnreachableError), shards.attempt(session, None) as attempt:
        answered(shards, other)  # while the first call waits
        raise ServerUnreachableError(attempt.address, 1.0)
    assert shards.down == ()


def test_the_sessions_of_a_replaced_server_lose_their_state_once_each(shards: Shards) -> None:
    first, second = name_at(B, A, B), name_at(B, A, B, count=1)
    for session in (first, second):
        answered(shards, session)
    with suppress(SessionLostError), shards.attempt(first, None) as one:
        with suppress(SessionLostError), shards.attempt(second, None) as two:
            for attempt in (one, two):  # both saw the same replacement
                with pytest.raises(SessionLostError, match=f"service at {B} was started again"):
                    shards.replaced(attempt)
            raise SessionLostError
        raise SessionLostError
    assert answered(shards, first) == B
    assert answered(shards, second) == B


def test_a_session_without_a_state_survives_the_replacement_of_its_server(shards: Shards) -> None:
    with shards.attempt(name_at(B, A, B), None) as attempt:
        shards.replaced(attempt)


def test_an_address_that_answers_a_question_is_used_again(peer: Peer) -> None:
    shards = make_shards(peer.address)
    peer.answer = lambda frames: []
    unanswered(shards, "robot")
    with pytest.raises(AddressDownError):
        answered(shards, "robot")
    peer.answer = lambda frames: [ok(ids(frames))]
    ends = time.monotonic() + DEADLINE_S
    while shards.down and time.monotonic() < ends:
        with suppress(AddressDownError):
            answered(shards, "robot")
        time.sleep(0.01)
    assert shards.down == ()
    shards.close()


def test_a_refused_key_marks_no_address_down(shards: Shards) -> None:
    session = name_at(B, A, B)
    with pytest.raises(HandshakeError), shards.attempt(session, None):
        raise HandshakeError(B, "the server refuses the key of this client")
    assert shards.down == ()
    assert answered(shards, session) == B


def test_a_likely_refusal_is_asked_about_in_the_background(shards: Shards) -> None:
    with pytest.raises(HandshakeError), shards.attempt(name_at(B, A, B), None):
        raise HandshakeError(B, "the server ends the handshake", is_certain=False)
    assert shards.down == (B,)


def test_an_address_that_refuses_the_key_answers() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as keyed:
        keyed.curve_server = True
        _, keyed.curve_secretkey = zmq.curve_keypair()
        port = keyed.bind_to_random_port("tcp://127.0.0.1")
        shards = make_shards(f"tcp://127.0.0.1:{port}")
        unanswered(shards, "robot")
        ends = time.monotonic() + DEADLINE_S
        while shards.down and time.monotonic() < ends:
            with suppress(AddressDownError):
                answered(shards, "robot")
            time.sleep(0.01)
        assert shards.down == ()
        shards.close()
