"""The time of a call, and what a client does while no service answers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zmq
from tests.runtime.client.policy.peer_service import PeerService
from tests.support.router_peer import Peer
from tests.support.served import DEADLINE_S

from skill_runtime.client import HandshakeError, ProtocolError, ServerUnreachableError
from skill_runtime.client.policy import AsyncPolicyClient, PolicyClient
from skill_runtime.client.policy.knowledge import Knowledge

AT_REST = np.zeros((1, 28), np.float32)
SKILL = np.zeros((1, 2), np.float32)
PARTS_S = 0.6
"""Duration of each part of a call, more than half of its timeout of 1 s [s]."""


def act_blocking(address: str) -> None:
    with PolicyClient(address, timeout_s=1.0) as client:
        client.act(AT_REST, session="a", skill=SKILL)


def act_asyncio(address: str) -> None:
    async def play() -> None:
        async with AsyncPolicyClient(address, timeout_s=1.0) as client:
            await client.act(AT_REST, session="a", skill=SKILL)

    asyncio.run(play())


@pytest.mark.parametrize("act", [act_blocking, act_asyncio])
def test_the_parts_of_a_call_share_its_timeout(act: Callable[[str], None], peer: Peer) -> None:
    service, heard = PeerService("first"), dict[int, float]()

    def answer(frames: list[bytes]) -> list[list[bytes]] | None:
        since = heard.setdefault(hash(frames[0]), time.monotonic())
        return service.answer(frames) if time.monotonic() - since > PARTS_S else None

    peer.answer = answer
    with pytest.raises(ServerUnreachableError, match="within 1 s"):
        act(peer.address)


def test_replies_to_other_calls_do_not_prolong_a_call() -> None:
    service = PeerService("first")
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger, router.rcvtimeo = 0, round(1000 * DEADLINE_S)
        port = router.bind_to_random_port("tcp://127.0.0.1")

        def reply() -> None:
            sender, *hello = router.recv_multipart()
            router.send_multipart([sender, *service.answer(hello)[0]])
            sender, header, *_ = router.recv_multipart()
            for other in (header.replace(b'"id":', b'"id":9'), header):
                time.sleep(PARTS_S)
                router.send_multipart([sender, *service.answer([other])[0]])

        thread = threading.Thread(target=reply)
        thread.start()
        with pytest.raises(ServerUnreachableError, match="within 1 s"):
            act_blocking(f"tcp://127.0.0.1:{port}")
        thread.join()


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("calls", [0, 3])
def test_a_reply_with_other_frames_is_of_another_protocol(
    calls: int, count: int, peer: Peer
) -> None:
    service = PeerService("first")
    peer.answer = service.answer
    with PolicyClient(peer.address, timeout_s=DEADLINE_S) as client:
        for _ in range(calls):
            client.act(AT_REST, session="a", skill=SKILL)
        service.frames = service.frames * count
        with pytest.raises(ProtocolError):
            client.act(AT_REST, session="a", skill=SKILL)


@pytest.mark.parametrize("skill", [SKILL, SKILL.tolist()])  # the fastest way, and the usual one
def test_a_frame_that_is_too_short_is_of_another_protocol(skill: Any, peer: Peer) -> None:  # noqa: ANN401  array-like
    service = PeerService("first")
    peer.answer = service.answer
    with PolicyClient(peer.address, timeout_s=DEADLINE_S) as client:
        for _ in range(2):
            client.act(AT_REST, session="a", skill=SKILL)
        service.frames = [b"1234"]
        with pytest.raises(ProtocolError, match="has other frames than its header names"):
            client.act(AT_REST, session="a", skill=skill)


def test_many_calls_wait_for_a_service_with_few_attempts(
    monkeypatch: pytest.MonkeyPatch, peer: Peer
) -> None:
    attempts = 0
    send = AsyncPolicyClient._send

    def counted(socket: zmq.Socket[bytes], frames: list[bytes]) -> bool:
        nonlocal attempts
        attempts += 1
        return send(socket, frames)

    monkeypatch.setattr(AsyncPolicyClient, "_send", staticmethod(counted))

    async def play(address: str, timeout_s: float) -> list[object]:
        async with AsyncPolicyClient(address, timeout_s=timeout_s) as client:
            calls = [client.act(AT_REST, session=f"r{i}", skill=SKILL) for i in range(100)]
            return await asyncio.gather(*calls, return_exceptions=True)

    lost = asyncio.run(play("tcp://127.0.0.1:9", 0.5))
    assert all(isinstance(error, ServerUnreachableError) for error in lost)
    assert attempts < 100  # with one of its own every 2 ms, each call alone made 250
    peer.answer = PeerService("first").answer
    assert all(isinstance(r, dict) for r in asyncio.run(play(peer.address, DEADLINE_S)))


def test_a_refused_key_ends_the_calls_that_wait() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as keyed:
        keyed.curve_server = True
        _, keyed.curve_secretkey = zmq.curve_keypair()
        port = keyed.bind_to_random_port("tcp://127.0.0.1")

        async def play() -> None:
            async with AsyncPolicyClient(f"tcp://127.0.0.1:{port}", timeout_s=3600.0) as client:
                with pytest.raises(HandshakeError, match="admits only clients with keys"):
                    await client.hello()

        asyncio.run(play())


def test_the_clock_is_learned_again_when_all_replies_have_become_slow() -> None:
    known = Knowledge("tcp://127.0.0.1:9", 1.0, "test")
    start = time.monotonic()
    known._note_clock(100.0, start, start + 0.001)
    for step in range(1, 200):  # ten a second; 10 ms is ten times the fastest reply
        sent_at = start + 0.1 * step
        known._note_clock(sent_at - start + 500.0 + 0.005, sent_at, sent_at + 0.010)
    offset = known.deadline(0.0)
    assert offset is not None
    assert offset - (time.monotonic() - start) == pytest.approx(500.0, abs=0.1)
