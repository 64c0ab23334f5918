"""The stop request reaches the right server, whether or not its address is known."""

from __future__ import annotations

import pytest
from tests.support.router_peer import Peer, ids, ok

from skill_proto.messages import Stop
from skill_runtime.client import ServerUnreachableError
from skill_runtime.client.stop import default_stop_address, send_stop

NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture
def confirming(peer: Peer) -> Peer:
    """A server that confirms every stop, at server time 3."""
    peer.answer = lambda frames: [ok(ids(frames), 3.0)]
    return peer


def unreachable() -> str:
    raise ServerUnreachableError(NOWHERE, 1.0)


def test_the_default_address_is_at_an_offset() -> None:
    assert default_stop_address("tcp://127.0.0.1:5555") == "tcp://127.0.0.1:5557"
    assert default_stop_address("ipc:///run/arm") is None


def test_a_correct_guess_needs_one_request(confirming: Peer) -> None:
    address = confirming.address
    assert send_stop(Stop(), 10.0, guess=address, find_address=lambda: address) == 3.0
    assert len(confirming.heard) == 1


def test_a_confirmed_guess_is_enough_if_the_address_cannot_be_found(confirming: Peer) -> None:
    assert send_stop(Stop(), 10.0, guess=confirming.address, find_address=unreachable) == 3.0


def test_after_a_wrong_guess_the_found_address_is_used(confirming: Peer) -> None:
    address = confirming.address
    assert send_stop(Stop(), 1.0, guess=NOWHERE, find_address=lambda: address) == 3.0
    assert send_stop(Stop(), 1.0, guess=None, find_address=lambda: address) == 3.0


def test_a_stop_without_confirmation_raises() -> None:
    with pytest.raises(ServerUnreachableError):
        send_stop(Stop(), 0.2, guess=NOWHERE, find_address=unreachable)
