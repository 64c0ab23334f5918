"""Channel against peers that misbehave: silent, late, talking nonsense, of another version."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import zmq
from tests.support.router_peer import Peer, ids, ok
from tests.support.served import DEADLINE_S

from skill_proto.messages import Act, Error, Hello, Reply
from skill_proto.wire import array_specs
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import (
    ClientError,
    CommandRefusedError,
    InvalidAddressError,
    LeaseHeldError,
    LeaseLostError,
    NoLeaseError,
    ProtocolError,
    ServerUnreachableError,
    from_reply,
)


def test_each_request_has_a_new_id_and_its_own_reply(peer: Peer) -> None:
    peer.answer = lambda frames: [ok(ids(frames), float(ids(frames)))]
    with Connection(peer.address, 10.0) as channel:
        replies = [channel.ask(Hello())[0] for _ in range(3)]
    assert [reply.id for reply in replies] == [1, 2, 3]
    assert [reply.time for reply in replies] == [1.0, 2.0, 3.0]


def test_a_reply_to_something_else_is_passed_over(peer: Peer) -> None:
    peer.answer = lambda frames: [ok(99), ok(0), ok(ids(frames), 5.0)]
    with Connection(peer.address, 10.0) as channel:
        assert channel.ask(Hello())[0].time == 5.0


def test_an_error_about_what_could_not_be_read_is_ours(peer: Peer) -> None:
    error = {"type": "error", "id": 0, "time": 1.0, "code": "malformed", "message": "m", "fix": "f"}
    peer.answer = lambda frames: [[json.dumps(error).encode()]]
    with Connection(peer.address, 10.0) as channel, pytest.raises(CommandRefusedError, match="m"):
        channel.ask(Hello())


def test_a_late_reply_is_not_taken_for_the_next_one(peer: Peer) -> None:
    peer.answer = lambda frames: []
    with Connection(peer.address, 0.3) as channel:
        with pytest.raises(ServerUnreachableError):
            channel.ask(Hello())
        channel.timeout_s = 10.0
        # Had the first reply been waiting in the socket, it would come first.
        peer.answer = lambda frames: [ok(1, 1.0), ok(ids(frames), 2.0)]
        assert channel.ask(Hello())[0].time == 2.0


def test_what_was_posted_is_answered_later(peer: Peer) -> None:
    error = {"type": "error", "time": 3.0, "code": "stale", "message": "m", "fix": "f"}
    peer.answer = lambda frames: [ok(ids(frames), float(ids(frames)))]
    with Connection(peer.address, 10.0) as channel:
        channel.ask(Hello())
        assert list(channel.replies()) == []
        assert [channel.post(Hello()) for _ in range(2)] == [2, 3]
        ends = time.monotonic() + DEADLINE_S
        seen: list[Reply] = []
        while len(seen) < 2 and time.monotonic() < ends:
            seen += channel.replies(1.0)
        assert [(reply.id, reply.time) for reply in seen] == [(2, 2.0), (3, 3.0)]
        assert channel.time == 3.0
        # An error is a reply like any other: whose fault it was, only the sender knows.
        peer.answer = lambda frames: [[json.dumps({"id": ids(frames), **error}).encode()]]
        assert channel.post(Hello()) == 4
        (refused,) = channel.replies(10.0)
        assert isinstance(refused, Error)
        assert (refused.id, refused.code) == (4, "stale")


def test_nothing_is_posted_to_a_server_that_is_not_there() -> None:
    with Connection("tcp://127.0.0.1:1", 0.3) as channel:
        assert channel.post(Hello()) is None
        assert list(channel.replies()) == []


def test_nothing_waits_for_a_server_that_is_not_there() -> None:
    with zmq.Context.instance().socket(zmq.ROUTER) as probe:
        port = probe.bind_to_random_port("tcp://127.0.0.1")
    address = f"tcp://127.0.0.1:{port}"
    with Connection(address, 0.3) as channel:
        with pytest.raises(ServerUnreachableError, match="skill-serve --model") as caught:
            channel.ask(Hello())
        assert address in str(caught.value)
        # A server that comes now must not find the old request.
        with zmq.Context.instance().socket(zmq.ROUTER) as late:
            late.linger = 0
            late.bind(address)
            assert not late.poll(500)


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:5555", "tcp://", "tcp://127.0.0.1", "udp://x:1"]
)
def test_an_address_that_is_none_is_named(address: str) -> None:
    with (
        Connection(address, 1.0) as channel,
        pytest.raises(InvalidAddressError, match="tcp://HOST:PORT"),
    ):
        channel.ask(Hello())


@pytest.mark.parametrize(
    "frames",
    [
        [b"\xff\x00"],
        [b""],
        [b"{}"],
        [b'{"type":"hello","id":1}'],
        [b'{"v":2,"type":"ok","id":1,"time":1.0}'],
        [b'{"type":"ok","id":1,"time":1.0}', b"surplus"],
        [b'{"type":"ok","id":1}'],
    ],
    ids=lambda frames: repr(frames[0][:30]),
)
def test_nonsense_is_said_to_be_so(peer: Peer, frames: list[bytes]) -> None:
    peer.answer = lambda request: [frames]
    with Connection(peer.address, 10.0) as channel:
        with pytest.raises(ProtocolError, match=peer.address):
            channel.ask(Hello())
        peer.answer = lambda request: [ok(ids(request))]
        channel.ask(Hello())


def test_a_frame_that_would_cost_the_connection_is_not_sent(peer: Peer) -> None:
    arrays = {"observation": np.zeros((1100, 1000), np.float32)}
    message = Act(session="s", arrays=array_specs(arrays))
    with Connection(peer.address, 10.0) as channel:
        with pytest.raises(CommandRefusedError, match="fewer rows") as caught:
            channel.ask(message, arrays)
        assert caught.value.code == "too_large"
    assert peer.heard == []


def test_the_tree_of_errors() -> None:
    assert issubclass(LeaseLostError, NoLeaseError)
    assert issubclass(LeaseHeldError, CommandRefusedError)
    for kind in (ServerUnreachableError, ProtocolError, NoLeaseError, CommandRefusedError):
        assert issubclass(kind, ClientError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("no_lease", LeaseLostError), ("lease_held", LeaseHeldError), ("busy", CommandRefusedError)],
)
def test_an_error_reply_becomes_its_exception(code: str, kind: type[ClientError]) -> None:
    from skill_proto.messages import Error

    fields = {"time": 1.0, "code": code, "message": "what", "fix": "do this"}
    error = from_reply(Error.model_validate(fields))
    assert type(error) is kind
    assert "what" in str(error)
    assert "do this" in str(error)
