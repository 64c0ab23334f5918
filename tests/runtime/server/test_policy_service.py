"""The policy service alone: many clients at once, their order, and a full queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import zmq

from skill_proto.arrays import FloatArray
from skill_proto.messages import REPLY, Act, Acted, Error
from skill_proto.wire import array_specs, pack, unpack
from skill_runtime.policy import OnnxPolicy
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.server.policy_service import MAX_WAITING_REQUESTS, PolicyService
from skill_runtime.server.policy_sessions import MAX_ROWS

PolicyFileFactory = Callable[..., Path]
Received = tuple[bytes, str, Acted | Error, dict[str, FloatArray]]


@contextmanager
def running(model: Path) -> Iterator[PolicyService]:
    with zmq.Context() as context:
        service = PolicyService(OnnxPolicy(model, slots=MAX_ROWS), context, MonotonicClock())
        yield service
        service.close()


def request(
    session: str, rows: int = 1, *, message_id: int = 0, episode: int = 0, **arrays: FloatArray
) -> list[zmq.Frame]:
    if not arrays:
        arrays = {
            "observation": np.full((rows, 28), float(message_id), np.float32),
            "skill": np.tile(np.array([[1, 0]], np.float32), (rows, 1)),
        }
    message = Act(id=message_id, session=session, episode=episode, arrays=array_specs(arrays))
    return [zmq.Frame(part) for part in pack(message, arrays)]


def receive(service: PolicyService, count: int) -> list[Received]:
    received: list[Received] = []
    while len(received) < count:
        assert service.replies.poll(30_000), "no reply"
        for sender, refused, frames in service.finished():
            reply, arrays = unpack(frames, REPLY)
            assert isinstance(reply, (Acted, Error))
            received.append((sender, refused, reply, arrays))
    return received


def test_every_request_gets_a_reply_and_each_senders_order_is_kept(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    """The state is halved and the cube xy is added, so a request out of order gives another one."""
    with running(make_policy_file(tmp_path, recurrent=True)) as service:
        names = [b"a", b"b", b"c"]
        expected = {name: np.zeros(2) for name in names}
        for turn in range(1, 16):
            for name in names:
                assert service.submit(name, request(name.decode(), message_id=turn))
        for sender, refused, reply, arrays in receive(service, 45):
            assert refused == ""
            # Every entry of the observation is the message's id, including the cube's position.
            expected[sender] = expected[sender] / 2 + reply.id
            np.testing.assert_allclose(arrays["context"][0], expected[sender], rtol=1e-5)
            assert arrays["action"].shape == (1, 3)


def test_a_new_episode_in_one_batch_starts_with_a_reset_state(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    with running(make_policy_file(tmp_path, recurrent=True)) as service:
        for episode in (0, 0, 1, 1, 2):
            service.submit(b"a", request("a", message_id=4, episode=episode))
        contexts = [arrays["context"][0, 0] for *_, arrays in receive(service, 5)]
    np.testing.assert_allclose(contexts, [4, 6, 4, 6, 4])


def test_sessions_that_evict_one_another_still_get_correct_replies(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    with running(make_policy_file(tmp_path, recurrent=True)) as service:
        for turn in range(12):
            service.submit(b"x", request(f"s{turn % 3}", rows=MAX_ROWS // 2, message_id=turn + 1))
        for _, refused, reply, arrays in receive(service, 12):
            assert refused == ""
            # Three sessions of half the slots each: every session is evicted before its next turn.
            np.testing.assert_allclose(arrays["context"], np.full((MAX_ROWS // 2, 2), reply.id))


def test_a_goal_policy_returns_context_estimate_and_distance(goal_file: Path) -> None:
    """Context = state / 2 + cube xy, estimate its exponential, distance 10 |context| / 2.

    The reply for a young state has no distance.
    """
    observation = np.full((2, 28), 0.1, np.float32)
    goal = np.array([[0.1, 0.0], [0.0, 0.1]], np.float32)
    with running(goal_file) as service:
        for _ in range(2):
            service.submit(b"x", request("g", observation=observation, goal=goal))
        *_, (*_, arrays) = receive(service, 2)
        service.submit(b"x", request("g", message_id=7, observation=observation))
        ((_, refused, error, _),) = receive(service, 1)
    context = np.full((2, 2), 0.15)
    np.testing.assert_allclose(arrays["context"], context, rtol=1e-5)
    np.testing.assert_allclose(arrays["estimate"], np.exp(context), rtol=1e-5)
    assert "context_distance" not in arrays
    assert refused == "invalid"
    assert isinstance(error, Error)
    assert "the request has no goal" in error.message
    with running(goal_file) as service:
        for _ in range(50):
            service.submit(b"x", request("g", observation=observation, goal=goal))
        *_, (*_, arrays) = receive(service, 50)
    distance = np.full((2, 1), 0.2 * np.sqrt(2) * 5)
    np.testing.assert_allclose(arrays["context_distance"], distance, rtol=1e-5)


def test_a_broken_sensor_of_one_client_does_not_affect_others(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    """State / 2 + cube xy overflows at the second 3e38; a state of infinity is reset."""
    broken = np.zeros((1, 28), np.float32)
    broken[0, 6:8] = 3e38
    skill = np.array([[1, 0]], np.float32)
    with running(make_policy_file(tmp_path, recurrent=True)) as service:
        for _ in range(6):
            service.submit(b"good", request("good", message_id=4))
            service.submit(b"bad", request("bad", message_id=5, observation=broken, skill=skill))
        service.submit(b"bad", request("bad", message_id=6))
        replies = receive(service, 13)
    good = [arrays["context"][0, 0] for sender, _, _, arrays in replies if sender == b"good"]
    np.testing.assert_allclose(good, 8 - 8 / 2 ** np.arange(1, 7), rtol=1e-6)
    bad = [reply for sender, _, reply, _ in replies if sender == b"bad"]
    assert [reply.type for reply in bad] == ["acted", "error"] * 3 + ["acted"]
    assert isinstance(bad[1], Error)
    assert "not finite" in bad[1].message
    last = next(arrays for _, _, reply, arrays in replies if reply.id == 6)
    assert last["context"][0, 0] == pytest.approx(6)


def test_skills_and_goals_that_wait_together(policy_file: Path) -> None:
    zeros = np.zeros((1, 28), np.float32)
    goal = np.array([[0.1, 0.0]], np.float32)
    with running(policy_file) as service:
        for number in range(10):
            if number % 2:
                frames = request("g", message_id=number, observation=zeros, goal=goal)
            else:
                frames = request("s", message_id=number)
            service.submit(b"x", frames)
        replies = receive(service, 10)
    assert sorted(reply.id for _, _, reply, _ in replies) == list(range(10))
    assert all(isinstance(reply, Acted) for _, _, reply, _ in replies)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "no observation"),
        ({"observation": (1, 28)}, "no skill and no goal"),
        ({"observation": (1, 27), "skill": (1, 2)}, "'observation' of shape [1, 27]"),
        ({"observation": (28,), "skill": (2,)}, "'observation'"),
        ({"observation": (2, 28), "skill": (1, 2)}, "'skill' of shape [1, 2]"),
        ({"observation": (0, 28), "skill": (0, 2)}, "'observation' of shape [0, 28]"),
        ({"observation": (1, 28), "skill": (1, 2), "weight": (1, 1)}, "'weight'"),
        ({"observation": (MAX_ROWS + 1, 28), "skill": (MAX_ROWS + 1, 2)}, "exceed"),
    ],
)
def test_an_invalid_request_is_refused(
    policy_file: Path, arrays: dict[str, tuple[int, ...]], words: str
) -> None:
    filled = {name: np.zeros(shape, np.float32) for name, shape in arrays.items()}
    message = Act(id=5, session="a", arrays=array_specs(filled))
    frames = [zmq.Frame(part) for part in pack(message, filled)]
    with running(policy_file) as service:
        assert service.submit(b"x", frames)
        assert service.submit(b"x", request("a", message_id=6))
        (_, refused, error, _), (_, _, reply, _) = receive(service, 2)
    assert refused == "invalid"
    assert isinstance(error, Error)
    assert (error.id, error.code) == (5, "invalid")
    assert words in error.message
    assert isinstance(reply, Acted)


def test_a_full_queue_refuses_the_next_request_without_blocking(policy_file: Path) -> None:
    with running(policy_file) as service:
        taken = 0
        while service.submit(b"x", request("a", rows=MAX_ROWS)):
            taken += 1
            assert taken < 100 * MAX_WAITING_REQUESTS, "the queue has no end"
        assert taken >= MAX_WAITING_REQUESTS


def test_it_closes_with_waiting_requests_and_unread_replies(policy_file: Path) -> None:
    with running(policy_file) as service:
        for _ in range(MAX_WAITING_REQUESTS):
            service.submit(b"x", request("a"))
