"""Messages are read part by part, on real sockets."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
import zmq
from tests.support.served import DEADLINE_S

from skill_proto.wire import MAX_FRAME_BYTES, MAX_PARTS
from skill_runtime.transport.router_reader import (
    FORGIVEN_SHARE,
    MAX_DROPPED_PARTS,
    Incoming,
    RouterReader,
    TooManyPartsError,
)

Socket = zmq.Socket[bytes]
Ends = tuple[RouterReader, Socket, Socket]


@pytest.fixture
def pair() -> Iterator[Ends]:
    """A reader, and two clients connected to its socket."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        clients = [context.socket(zmq.DEALER) for _ in range(2)]
        for client in clients:
            client.setsockopt(zmq.LINGER, 0)
            client.connect(f"tcp://127.0.0.1:{port}")
        yield RouterReader(router), *clients
        for client in clients:
            client.close()


def read(reader: RouterReader, count: int, max_parts: int = 64) -> list[Incoming]:
    """Reads until ``count`` messages have arrived, for at most DEADLINE_S."""
    found: list[Incoming] = []
    deadline = time.monotonic() + DEADLINE_S
    while len(found) < count:
        assert time.monotonic() < deadline
        found += reader.read(max_parts, math.inf)
    return found


def contents(incoming: Incoming) -> list[bytes]:
    return [frame.bytes for frame in incoming.frames]


def test_messages_arrive_whole_and_in_order(pair: Ends) -> None:
    reader, client, _ = pair
    client.send_multipart([b"a", b"b", b"c"])
    client.send(b"d")
    first, second = read(reader, 2)
    assert contents(first) == [b"a", b"b", b"c"]
    assert contents(second) == [b"d"]
    assert first.sender == second.sender
    assert first.problem is None


def test_a_message_may_be_read_in_several_calls(pair: Ends) -> None:
    reader, client, _ = pair
    client.send_multipart([b"a", b"b", b"c"])
    (only,) = read(reader, 1, max_parts=1)
    assert contents(only) == [b"a", b"b", b"c"]


def test_the_time_is_that_of_the_given_clock(pair: Ends) -> None:
    reader, client, _ = pair
    client.send_multipart([b"a", b"b"])
    read(reader, 1)
    for _ in range(3):
        client.send(b"c")
    deadline = time.monotonic() + DEADLINE_S
    found = list[Incoming]()
    while not found:  # two parts are one message, and end at 1.0 s
        assert time.monotonic() < deadline
        times = iter([0.0, 0.0, 1.0])  # at the begin, and after each part
        found = list(reader.read(64, 1.0, lambda times=times: next(times)))
    assert len(found) == 1
    assert len(read(reader, 2)) == 2


def test_an_empty_socket_yields_no_message(pair: Ends) -> None:
    assert list(pair[0].read(64, math.inf)) == []


def test_without_time_each_call_still_reads_one_part(pair: Ends) -> None:
    reader, client, _ = pair
    client.send_multipart([b"a", b"b"])
    (whole,) = read(reader, 1)
    assert contents(whole) == [b"a", b"b"]
    client.send_multipart([b"a", b"b"])
    calls, found = 0, list[Incoming]()
    while not found:
        calls += 1
        found += reader.read(64, -math.inf)
    assert calls >= 3  # the sender's name, "a", "b"
    assert contents(found[0]) == [b"a", b"b"]


def test_a_message_with_the_maximum_number_of_parts_is_read(pair: Ends) -> None:
    reader, client, _ = pair
    client.send_multipart([b"x"] * MAX_PARTS)
    (only,) = read(reader, 1)
    assert only.problem is None
    assert len(only.frames) == MAX_PARTS


def flood(client: Socket, parts: int) -> None:
    """Sends one message of so many parts."""
    for _ in range(parts - 1):
        client.send(b"x", zmq.SNDMORE)
    client.send(b"x")


@pytest.mark.parametrize("parts", [MAX_PARTS + 1, MAX_PARTS + 2, 50_000])
def test_a_message_of_too_many_parts_is_refused_at_once_and_dropped_in_steps(
    pair: Ends, parts: int
) -> None:
    reader, hostile, client = pair
    flood(hostile, parts)
    (refused,) = read(reader, 1, max_parts=2)
    assert refused.problem is not None
    assert refused.problem.code == "too_large"
    assert "more than 9 frames" in str(refused.problem)
    assert refused.frames == []
    client.send(b"other")
    hostile.send(b"same")
    calls, found = 0, list[Incoming]()
    deadline = time.monotonic() + DEADLINE_S
    while len(found) < 2:
        assert time.monotonic() < deadline
        calls += 1
        found += reader.read(10_000, math.inf)
    assert calls >= (parts - MAX_PARTS - 1) / 10_000  # never more than 10,000 parts at once
    assert sorted(contents(message)[0] for message in found) == [b"other", b"same"]
    assert found[0].problem is None


def test_a_message_without_end_ends_the_process(pair: Ends) -> None:
    reader, hostile, _ = pair
    flood(hostile, MAX_DROPPED_PARTS + 100)
    (refused,) = read(reader, 1)
    assert refused.problem is not None
    with pytest.raises(TooManyPartsError):
        list(reader.read(MAX_DROPPED_PARTS + 100, math.inf))


def test_time_for_the_surplus_parts_of_several_messages_is_bounded(pair: Ends) -> None:
    """A part takes 1 ms here, so a message with 100 surplus parts takes 0.1 s."""
    reader, *clients = pair
    time_s = 0.0

    def now() -> float:
        nonlocal time_s
        time_s += 0.001
        return time_s

    def read_ten(pause_s: float) -> None:
        nonlocal time_s
        for client in clients * 5:
            flood(client, 100 + MAX_PARTS)
            client.send(b"next")
            deadline = time.monotonic() + DEADLINE_S
            found = list[Incoming]()
            while len(found) < 2:
                assert time.monotonic() < deadline
                found += reader.read(1000, math.inf, now)
            time_s += pause_s

    read_ten(pause_s=0.1 / FORGIVEN_SHARE)
    with pytest.raises(TooManyPartsError):
        read_ten(pause_s=0.0)


def test_a_frame_too_long_is_refused(pair: Ends) -> None:
    reader, client, _ = pair
    client.send_multipart([b"{}", bytes(MAX_FRAME_BYTES + 1)])
    client.send_multipart([b"{}", bytes(MAX_FRAME_BYTES)])
    first, second = read(reader, 2)
    assert first.problem is not None
    assert first.problem.code == "too_large"
    assert str(MAX_FRAME_BYTES + 1) in str(first.problem)
    assert second.problem is None
