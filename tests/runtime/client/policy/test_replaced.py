"""A service that is started again: its sessions say so once, and go on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.runtime.client.policy.peer_service import PeerService
from tests.support.router_peer import Peer
from tests.support.served import DEADLINE_S

from skill_runtime.client import ServerReplacedError, SessionLostError
from skill_runtime.client.policy import AsyncPolicyClient, PolicyClient
from skill_runtime.client.sharding import ShardedClient

AT_REST = np.zeros((1, 28), np.float32)
SKILL = np.zeros((1, 2), np.float32)


class Waiting:
    """The calls of an AsyncPolicyClient, each awaited."""

    def __init__(self, address: str) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncPolicyClient(address, timeout_s=DEADLINE_S)

    def act(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  as the client's own
        return self._runner.run(self._client.act(*arguments, **named))

    def swap(self) -> Any:  # noqa: ANN401  both kinds
        return self._runner.run(self._client.swap())

    def gather(self, *sessions: str) -> list[Any]:
        async def together() -> list[Any]:
            calls = [self._client.act(AT_REST, session=name, skill=SKILL) for name in sessions]
            return await asyncio.gather(*calls, return_exceptions=True)

        return self._runner.run(together())

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


@pytest.fixture(params=["blocking", "asyncio", "sharded"])
def client(request: pytest.FixtureRequest, peer: Peer) -> Iterator[Any]:
    peer.answer = PeerService("first").answer
    if request.param == "blocking":
        client: Any = PolicyClient(peer.address, timeout_s=DEADLINE_S)
    elif request.param == "asyncio":
        client = Waiting(peer.address)
    else:
        client = ShardedClient([peer.address], timeout_s=DEADLINE_S)
    yield client
    client.close()


def act(client: Any, session: str, episode: int | None = None) -> None:  # noqa: ANN401  both kinds
    result = client.act(AT_REST, session=session, episode=episode, skill=SKILL)
    assert result["action"].shape == (1, 3)


def test_each_session_loses_its_state_once_and_goes_on(client: Any, peer: Peer) -> None:  # noqa: ANN401  both kinds
    for session in ("a", "b", "a", "b"):
        act(client, session)
    second = PeerService("second")
    peer.answer = second.answer
    for session in ("a", "b"):
        with pytest.raises(SessionLostError, match=f"session '{session}' was lost.*started again"):
            act(client, session)
    assert not second.steps  # the calls had no effect
    for session in ("a", "b", "a"):
        act(client, session)
    assert second.steps == {("a", None): 2, ("b", None): 1}


def test_a_call_that_needs_no_earlier_state_goes_to_the_new_service(
    client: Any,  # noqa: ANN401  both kinds
    peer: Peer,
) -> None:
    act(client, "a", episode=1)
    for instance, episode in (("second", 2), ("third", 3)):
        peer.answer = PeerService(instance).answer
        act(client, "a", episode=episode)
    act(client, "new")


def test_a_service_that_does_not_look_at_the_instance(client: Any, peer: Peer) -> None:  # noqa: ANN401  both kinds
    act(client, "a")
    peer.answer = PeerService("second", checks_instance=False).answer
    with pytest.raises(SessionLostError, match="started again"):
        act(client, "a")
    act(client, "a")


@pytest.mark.parametrize("client", ["blocking", "asyncio"], indirect=True)
def test_a_swap_is_refused_once(client: Any, peer: Peer) -> None:  # noqa: ANN401  both kinds
    act(client, "a")
    peer.answer = PeerService("second").answer
    with pytest.raises(ServerReplacedError, match="Fix: call again"):
        client.swap()
    assert client.swap().model == "m"
    with pytest.raises(SessionLostError):
        act(client, "a")
    act(client, "a")


@pytest.mark.parametrize("client", ["asyncio"], indirect=True)
def test_calls_at_the_same_time_notice_one_replacement(client: Waiting, peer: Peer) -> None:
    client.gather("a", "b")
    peer.answer = PeerService("second").answer
    results = client.gather("a", "b", "new", "new 2")
    assert [isinstance(result, SessionLostError) for result in results] == [
        True,
        True,
        False,
        False,
    ]
    assert all(isinstance(result, dict) for result in client.gather("a", "b", "new", "new 2"))
