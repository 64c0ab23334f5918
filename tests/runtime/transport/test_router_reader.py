"""Reading messages part by part, on real sockets."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
import zmq

from skill_proto.wire import MAX_FRAME_BYTES, MAX_PARTS
from skill_runtime.transport.router_reader import Incoming, RouterReader

Socket = zmq.Socket[bytes]
Ends = tuple[RouterReader, Socket, Socket]


@pytest.fixture
def pair() -> Iterator[Ends]:
    """An inbox, and two clients connected to it."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        clients = [context.socket(zmq.DEALER) for _ in range(2)]
        for client in clients:
            client.setsockopt(zmq.LINGER, 0)
            client.connect(f"tcp://127.0.0.1:{port}")
        yield RouterReader(router), *clients
        for client in clients:
            client.close()


def read(inbox: RouterReader, count: int, max_parts: int = 64) -> list[Incoming]:
    """Reads until ``count`` messages came, waiting for them generously."""
    found: list[Incoming] = []
    deadline = time.monotonic() + 20
    while len(found) < count:
        assert time.monotonic() < deadline
        found += inbox.read(max_parts, math.inf)
    return found


def contents(incoming: Incoming) -> list[bytes]:
    return [frame.bytes for frame in incoming.frames]


def test_messages_come_whole_and_in_order(pair: Ends) -> None:
    inbox, client, _ = pair
    client.send_multipart([b"a", b"b", b"c"])
    client.send(b"d")
    first, second = read(inbox, 2)
    assert contents(first) == [b"a", b"b", b"c"]
    assert contents(second) == [b"d"]
    assert first.sender == second.sender
    assert first.problem is None


def test_a_message_may_be_read_over_several_turns(pair: Ends) -> None:
    inbox, client, _ = pair
    client.send_multipart([b"a", b"b", b"c"])
    (only,) = read(inbox, 1, max_parts=1)
    assert contents(only) == [b"a", b"b", b"c"]


def test_nothing_there_gives_nothing(pair: Ends) -> None:
    assert list(pair[0].read(64, math.inf)) == []


def test_time_running_out_still_reads_one_part_at_a_time(pair: Ends) -> None:
    inbox, client, _ = pair
    client.send_multipart([b"a", b"b"])
    (whole,) = read(inbox, 1)
    assert contents(whole) == [b"a", b"b"]
    client.send_multipart([b"a", b"b"])
    turns, found = 0, list[Incoming]()
    while not found:
        turns += 1
        found += inbox.read(64, -math.inf)
    assert turns >= 3  # the sender's name, "a", "b"
    assert contents(found[0]) == [b"a", b"b"]


def test_the_most_parts_a_message_may_have_are_read(pair: Ends) -> None:
    inbox, client, _ = pair
    client.send_multipart([b"x"] * MAX_PARTS)
    (only,) = read(inbox, 1)
    assert only.problem is None
    assert len(only.frames) == MAX_PARTS


def test_a_message_of_a_million_parts_is_refused_and_dropped_bit_by_bit(
    pair: Ends,
) -> None:
    inbox, flood, client = pair
    for _ in range(999_999):
        flood.send(b"x", zmq.SNDMORE)
    flood.send(b"x")
    (refused,) = read(inbox, 1)
    assert refused.problem is not None
    assert refused.problem.code == "too_large"
    assert refused.frames == []
    assert inbox.blocked
    client.send(b"other")
    turns, found = 0, list[Incoming]()
    while inbox.blocked:
        turns += 1
        found += inbox.read(10_000, math.inf)
    assert turns >= 100  # never more than 10,000 parts at once
    flood.send(b"same")
    found += read(inbox, 2 - len(found))
    assert sorted(contents(message)[0] for message in found) == [b"other", b"same"]


def test_a_frame_too_long_is_refused(pair: Ends) -> None:
    inbox, client, _ = pair
    client.send_multipart([b"{}", bytes(MAX_FRAME_BYTES + 1)])
    client.send_multipart([b"{}", bytes(MAX_FRAME_BYTES)])
    first, second = read(inbox, 2)
    assert first.problem is not None
    assert first.problem.code == "too_large"
    assert str(MAX_FRAME_BYTES + 1) in str(first.problem)
    assert second.problem is None
