"""``act`` against a real policy service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.served_process import serving_process

from skill_runtime.client import CommandRefusedError, SessionSharedError, SkillClient
from skill_runtime.client.aio import AsyncSkillClient
from skill_runtime.policy import OnnxPolicy

SKILL = [[1.0, 0.0]]


@pytest.fixture(scope="module")
def address(policy_file: Path) -> Iterator[str]:
    with serving_process(policy_file) as address:
        yield address


@pytest.fixture
def client(address: str) -> Iterator[SkillClient]:
    with SkillClient(address, timeout_s=20.0) as client:
        yield client


def observations(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, (n, 28)).astype(np.float32)


def test_act_returns_the_action_of_the_policy(client: SkillClient, policy_file: Path) -> None:
    observation, skill = observations(3), np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    result = client.act(observation, session="s", skill=skill)
    expected = OnnxPolicy(policy_file, slots=3).step(observation, skill).action
    np.testing.assert_allclose(result["action"], expected, rtol=1e-6)
    assert set(result) == {"action"}


def test_act_towards_goals(client: SkillClient, policy_file: Path) -> None:
    observation, goal = observations(2), np.array([[0.1, 0.0], [0.0, 0.1]], np.float32)
    result = client.act(observation, session="s", goal=goal)
    expected = OnnxPolicy(policy_file, slots=2).step(observation, goal=goal).action
    np.testing.assert_allclose(result["action"], expected, rtol=1e-6)


def test_both_clients_receive_the_same(client: SkillClient) -> None:
    async def act() -> np.ndarray:
        async with AsyncSkillClient(client.address, timeout_s=20.0) as other:
            results = [
                await other.act(observations(2), session="s", skill=SKILL * 2) for _ in range(3)
            ]
            return results[-1]["action"]

    expected = client.act(observations(2), session="s", skill=SKILL * 2)["action"]
    np.testing.assert_array_equal(asyncio.run(act()), expected)


def test_a_session_belongs_to_its_client_unless_an_episode_is_given(
    client: SkillClient,
) -> None:
    with SkillClient(client.address, timeout_s=20.0) as other:
        for _ in range(3):
            for each in (client, other):
                each.act(observations(1), session="robot", skill=SKILL)
        client.act(observations(1), session="robot", episode=7, skill=SKILL)
        with pytest.raises(SessionSharedError, match="join=True"):
            other.act(observations(1), session="robot", episode=7, skill=SKILL)
        other.act(observations(1), session="robot", episode=7, skill=SKILL, join=True)


def test_act_keeps_the_recurrent_state_per_session_until_a_new_episode(
    make_policy_file: Callable[..., Path], tmp_path: Path
) -> None:
    observation = observations(1)
    seen = observation[0, 6:8]  # the cube: next_memory = memory / 2 + cube
    with (
        serving_process(make_policy_file(tmp_path, recurrent=True)) as address,
        SkillClient(address, timeout_s=20.0) as client,
    ):

        def context(session: str, episode: int | None) -> np.ndarray:
            return client.act(observation, session=session, episode=episode, skill=SKILL)[
                "context"
            ][0]

        np.testing.assert_allclose(context("a", 0), seen, rtol=1e-6)
        np.testing.assert_allclose(context("a", 0), 1.5 * seen, rtol=1e-6)
        np.testing.assert_allclose(context("b", None), seen, rtol=1e-6)
        np.testing.assert_allclose(context("a", 0), 1.75 * seen, rtol=1e-6)
        np.testing.assert_allclose(context("b", None), 1.5 * seen, rtol=1e-6)
        np.testing.assert_allclose(context("a", 1), seen, rtol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"observation": np.zeros((1, 27)), "skill": np.ones((1, 2))}, "observation"),
        ({"observation": np.zeros(28), "skill": np.ones(2)}, "observation"),
        ({"observation": np.zeros((1, 28))}, "skill"),
        ({"observation": np.zeros((2, 28)), "skill": np.ones((1, 2))}, "skill"),
        ({"observation": np.full((1, 28), np.nan), "skill": np.ones((1, 2))}, "NaN"),
        ({"observation": np.zeros((257, 28)), "skill": np.ones((257, 2))}, "256"),
        ({"observation": np.zeros((60000, 28)), "skill": np.ones((1, 2))}, "4194304"),
    ],
    ids=["size", "axis", "no-skill", "rows", "nan", "many", "huge"],
)
def test_act_refuses_arrays_that_do_not_fit(
    client: SkillClient, arrays: dict[str, np.ndarray], said: str
) -> None:
    client.act(observations(1), session="kept", skill=SKILL)
    with pytest.raises(CommandRefusedError, match=said):
        client.act(arrays.pop("observation"), session="s", **arrays)
    # The connection still works, and the session was kept: its age is checked.
    assert client.act(observations(1), session="kept", skill=SKILL)["action"].shape == (1, 3)
