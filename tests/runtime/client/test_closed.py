"""A closed client is closed: later calls raise at once, and open no socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import numpy as np
import pytest
from tests.runtime.client.policy.peer_service import PeerService
from tests.support.router_peer import Peer
from tests.support.served import DEADLINE_S
from tests.support.stand_in import StandIn

from skill_runtime.client import InvalidUseError, ProtocolError, SkillClient
from skill_runtime.client.aio import AsyncSkillClient
from skill_runtime.client.policy import AsyncPolicyClient, PolicyClient
from skill_runtime.client.sharding import AsyncShardedClient, ShardedClient

AT_REST = np.zeros((1, 28), np.float32)
SKILL = np.zeros((1, 2), np.float32)
CLOSED = "the client is closed.*Fix: make a new one"


@pytest.fixture
def server() -> Iterator[StandIn]:
    with StandIn("server") as server:
        yield server


@pytest.fixture
def service(peer: Peer) -> Peer:
    peer.answer = PeerService("service").answer
    return peer


def sharded(address: str) -> ShardedClient:
    return ShardedClient([address], timeout_s=DEADLINE_S)


def policy(address: str) -> PolicyClient:
    return PolicyClient(address, timeout_s=DEADLINE_S)


@pytest.mark.parametrize("make", [policy, sharded])
def test_a_closed_client_of_a_service_sends_no_more(
    service: Peer, make: Callable[[str], Any]
) -> None:
    with make(service.address) as client:
        for _ in range(3):
            client.act(AT_REST, session="robot", skill=SKILL)
    heard = len(service.heard)
    for _ in range(2):
        with pytest.raises(InvalidUseError, match=CLOSED):
            client.act(AT_REST, session="robot", skill=SKILL)
        client.close()
    assert len(service.heard) == heard


def test_the_other_calls_of_a_closed_client_are_refused_too(service: Peer) -> None:
    with policy(service.address) as client, sharded(service.address) as shards:
        pass
    for call in (client.hello, client.swap, lambda: shards.use([service.address])):
        with pytest.raises(InvalidUseError, match=CLOSED):
            call()


def test_a_closed_client_of_an_arm_can_only_stop_it(server: StandIn) -> None:
    with SkillClient(server.address, timeout_s=DEADLINE_S) as client:
        client.acquire("me")
        client.state()
    calls: list[Callable[[], object]] = [
        client.hello,
        client.state,
        client.clear,
        client.stream,
        lambda: client.acquire("me"),
        lambda: client.skill([1, 0]),
        lambda: client.act(AT_REST, session="s"),
    ]
    for call in calls:
        with pytest.raises(InvalidUseError, match=CLOSED):
            call()
    assert client._commands._socket is None
    assert client._telemetry._socket is None
    client.stop("after the end")
    assert server.mode == "stopped"


# Asyncio ------------------------------------------------------------------------------------------


def async_sharded(address: str) -> AsyncShardedClient:
    return AsyncShardedClient([address], timeout_s=DEADLINE_S)


def async_policy(address: str) -> AsyncPolicyClient:
    return AsyncPolicyClient(address, timeout_s=DEADLINE_S)


@pytest.mark.parametrize("make", [async_policy, async_sharded])
def test_a_closed_client_of_asyncio_sends_no_more(
    service: Peer, make: Callable[[str], Any]
) -> None:
    async def program() -> None:
        async with make(service.address) as client:
            await client.act(AT_REST, session="robot", skill=SKILL)
        heard = len(service.heard)
        for _ in range(2):
            with pytest.raises(InvalidUseError, match=CLOSED):
                await client.act(AT_REST, session="robot", skill=SKILL)
            await client.close()
        assert len(service.heard) == heard

    asyncio.run(program())


def test_a_closed_client_of_an_arm_for_asyncio_can_only_stop_it(server: StandIn) -> None:
    async def program() -> None:
        async with AsyncSkillClient(server.address, timeout_s=DEADLINE_S) as client:
            await client.state()
        calls: list[Callable[[], Coroutine[Any, Any, object]]] = [
            client.hello,
            client.state,
            client.clear,
            lambda: client.act(AT_REST, session="s"),
        ]
        for call in calls:
            with pytest.raises(InvalidUseError, match=CLOSED):
                await call()
        assert client._commands._socket is None
        assert client._telemetry._socket is None
        await client.stop("after the end")

    asyncio.run(program())
    assert server.mode == "stopped"


def test_a_call_that_waits_at_the_end_opens_no_new_socket(server: StandIn) -> None:
    async def program() -> None:
        client = AsyncSkillClient(server.address, timeout_s=0.5)
        await client.state()
        server.publishes = False
        await client.hello()  # a state must be newer than this reply
        waiting = asyncio.create_task(client.state())
        await asyncio.sleep(0.05)
        await client.close()
        with pytest.raises(InvalidUseError, match=CLOSED):
            await waiting
        assert client._telemetry._socket is None

    asyncio.run(program())


# Servers of another kind --------------------------------------------------------------------------


def test_a_client_of_an_arm_says_that_a_policy_service_has_none(service: Peer) -> None:
    with SkillClient(service.address, timeout_s=DEADLINE_S) as client:
        for call in (client.hello, client.state):
            with pytest.raises(ProtocolError, match=r"is a policy service.*use PolicyClient"):
                call()


def test_a_client_of_a_service_says_that_the_server_has_an_arm(server: StandIn) -> None:
    with (
        PolicyClient(server.address, timeout_s=DEADLINE_S) as client,
        pytest.raises(ProtocolError, match=r"has an arm.*use SkillClient"),
    ):
        client.hello()
