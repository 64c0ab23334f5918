"""AsyncPolicyClient: many calls at a time, and calls without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import zmq
from tests.support.policy_services import serving_policies
from tests.support.served import DEADLINE_S

from skill_runtime.client import CommandRefusedError, ServerUnreachableError
from skill_runtime.client.policy import AsyncPolicyClient, PolicyClient

MODELS = Path(__file__).parents[4] / "models"
AT_REST = np.zeros((1, 28), np.float32)
GOAL = [[0.1, 0.0]]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving_policies({"goal": MODELS / "goal_panda.onnx"}) as serving:
        yield serving.address


def test_calls_at_the_same_time_get_their_own_answers(address: str) -> None:
    draw = np.random.default_rng(0)
    observations = draw.normal(0, 0.1, (40, 3, 1, 28))

    async def play() -> list[np.ndarray]:
        async with AsyncPolicyClient(address, timeout_s=DEADLINE_S) as client:
            assert [model.name for model in await client.models()] == ["goal"]
            results = []
            for step in range(3):
                calls = [
                    client.act(observations[robot, step], session=f"r{robot}", goal=GOAL)
                    for robot in range(40)
                ]
                results = [answer["action"] for answer in await asyncio.gather(*calls)]
            assert client.round_trips.count == 120
            return results

    together = asyncio.run(play())
    with PolicyClient(address, timeout_s=DEADLINE_S) as client:
        for robot in range(0, 40, 13):
            for step in range(3):
                result = client.act(observations[robot, step], session=f"r{robot}", goal=GOAL)
            np.testing.assert_allclose(result["action"], together[robot], atol=2e-6)


def test_a_refusal_and_a_cancelled_call_leave_the_client_usable(address: str) -> None:
    async def play() -> None:
        async with AsyncPolicyClient(address, timeout_s=DEADLINE_S) as client:
            await client.hello()
            with pytest.raises(CommandRefusedError, match=r"goal, row|goal:|outside"):
                await client.act(AT_REST, session="a", goal=[[9.0, 9.0]])
            with pytest.raises(CommandRefusedError, match="shape"):
                await client.act(AT_REST[:, :5], session="a", goal=GOAL)
            call = asyncio.ensure_future(client.act(AT_REST, session="b", goal=GOAL))
            await asyncio.sleep(0)
            call.cancel()
            with suppress(asyncio.CancelledError):  # the answer may have been faster
                await call
            assert (await client.act(AT_REST, session="c", goal=GOAL))["action"].shape == (1, 3)

    asyncio.run(play())


@pytest.mark.parametrize("listens", [True, False])
def test_a_call_without_an_answer_ends_at_its_timeout(listens: bool) -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as silent:
        port = silent.bind_to_random_port("tcp://127.0.0.1")
        address = f"tcp://127.0.0.1:{port if listens else 9}"

        async def play() -> None:
            async with AsyncPolicyClient(address, timeout_s=0.2) as client:
                with pytest.raises(ServerUnreachableError):
                    await client.hello()

        asyncio.run(play())
        with PolicyClient(address, timeout_s=0.2) as client, pytest.raises(ServerUnreachableError):
            client.act(AT_REST, session="a", goal=GOAL)
