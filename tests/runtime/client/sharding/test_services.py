"""Sessions at two real services, one of which is killed and started again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.serving.load.services import Service, serving
from tests.support.served import DEADLINE_S

from skill_runtime.client import ServerUnreachableError, SessionLostError
from skill_runtime.client.sharding import AddressDownError, AsyncShardedClient, ShardedClient

OBSERVATION = np.zeros((1, 28), np.float32)
TIMEOUT_S = 2.0


@pytest.fixture
def services(policy_file: Path) -> Iterator[list[Service]]:
    with serving(policy_file, 2, keys=None, cpu=None, nice=0) as services:
        yield list(services)


def act(client: Any, session: str) -> Any:  # noqa: ANN401  a blocking client or one for asyncio
    return client.act(OBSERVATION, session=session, skill=[[1.0, 0.0]])


def test_a_killed_service_costs_its_own_sessions_alone(
    services: list[Service], policy_file: Path
) -> None:
    stays, dies = services
    addresses = [stays.address, dies.address]

    async def scenario() -> None:
        with ShardedClient(addresses, timeout_s=TIMEOUT_S) as client:
            async with AsyncShardedClient(addresses, timeout_s=TIMEOUT_S) as other:
                names = [session_at(client, address) for address in addresses]
                await both_act(client, other, names)
                dies.kill()
                await the_others_go_on(client, other, names, dies.address)
                with closing(Service(policy_file, port=dies.port)):
                    await both_lose_the_state_once(client, other, names[1])
                    await both_act(client, other, names)

    asyncio.run(scenario())


def session_at(client: ShardedClient, address: str) -> str:
    return next(name for name in map(str, range(1000)) if client.address_of(name) == address)


async def both_act(client: ShardedClient, other: AsyncShardedClient, names: list[str]) -> None:
    for name in names:
        act(client, name)
    results = await asyncio.gather(*[act(other, name) for name in names])
    assert [set(result) for result in results] == [{"action"}] * len(names)


async def the_others_go_on(
    client: ShardedClient, other: AsyncShardedClient, names: list[str], lost: str
) -> None:
    here, there = names
    with pytest.raises(ServerUnreachableError, match=f"no answer from {lost} within 2 s"):
        act(client, there)
    act(client, here)
    calls = [act(other, name) for name in (there, here)]
    failed, answered = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(failed, ServerUnreachableError)
    assert set(answered) == {"action"}
    assert client.down == other.down == (lost,)
    with pytest.raises(AddressDownError, match=f"no answer from {lost} .* was not sent"):
        act(client, there)
    with pytest.raises(AddressDownError, match="was not sent"):
        await act(other, there)


async def both_lose_the_state_once(
    client: ShardedClient, other: AsyncShardedClient, name: str
) -> None:
    for one in (client, other):
        ends = time.monotonic() + DEADLINE_S
        while True:
            try:
                result = act(one, name)
                if one is other:
                    await result
            except ServerUnreachableError:
                assert time.monotonic() < ends, "the service is not used again"
                await asyncio.sleep(0.02)
            except SessionLostError as error:
                assert "was started again" in str(error)  # noqa: PT017  other sessions go on
                break
            else:
                pytest.fail("the loss of the recurrent state is not reported")
        assert one.down == ()
