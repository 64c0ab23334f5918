"""Connection against peers that misbehave: silent, late, malformed, of another version."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import zmq
from tests.support.router_peer import Peer, ids, ok
from tests.support.served import DEADLINE_S

from skill_proto.messages import Act, Error, Hello, Reply
from skill_proto.wire import array_specs
from skill_runtime.client import (
    CommandRefusedError,
    Connection,
    InvalidAddressError,
    ProtocolError,
    ServerUnreachableError,
)


def test_each_request_has_a_new_id_and_its_own_reply(peer: Peer) -> None:
    peer.answer = lambda frames: [ok(ids(frames), float(ids(frames)))]
    with Connection(peer.address, 10.0) as connection:
        replies = [connection.ask(Hello())[0] for _ in range(3)]
    assert [reply.id for reply in replies] == [1, 2, 3]
    assert [reply.time for reply in replies] == [1.0, 2.0, 3.0]


def test_a_reply_to_another_request_is_ignored(peer: Peer) -> None:
    peer.answer = lambda frames: [ok(99), ok(0), ok(ids(frames), 5.0)]
    with Connection(peer.address, 10.0) as connection:
        assert connection.ask(Hello())[0].time == 5.0


def test_an_error_without_an_id_is_the_reply(peer: Peer) -> None:
    error = {"type": "error", "id": 0, "time": 1.0, "code": "malformed", "message": "m", "fix": "f"}
    peer.answer = lambda frames: [[json.dumps(error).encode()]]
    with (
        Connection(peer.address, 10.0) as connection,
        pytest.raises(CommandRefusedError, match="m"),
    ):
        connection.ask(Hello())


def test_a_late_reply_is_not_mistaken_for_the_next_one(peer: Peer) -> None:
    peer.answer = lambda frames: []
    with Connection(peer.address, 0.3) as connection:
        with pytest.raises(ServerUnreachableError):
            connection.ask(Hello())
        connection.timeout_s = 10.0
        # A late reply in the socket would be read first.
        peer.answer = lambda frames: [ok(1, 1.0), ok(ids(frames), 2.0)]
        assert connection.ask(Hello())[0].time == 2.0


def test_posted_messages_are_answered_later(peer: Peer) -> None:
    error = {"type": "error", "time": 3.0, "code": "stale", "message": "m", "fix": "f"}
    peer.answer = lambda frames: [ok(ids(frames), float(ids(frames)))]
    with Connection(peer.address, 10.0) as connection:
        connection.ask(Hello())
        assert list(connection.replies()) == []
        assert [connection.post(Hello()) for _ in range(2)] == [2, 3]
        ends = time.monotonic() + DEADLINE_S
        seen: list[Reply] = []
        while len(seen) < 2 and time.monotonic() < ends:
            seen += connection.replies(1.0)
        assert [(reply.id, reply.time) for reply in seen] == [(2, 2.0), (3, 3.0)]
        assert connection.time == 3.0
        # An error is returned like any other reply; the caller decides how to handle it.
        peer.answer = lambda frames: [[json.dumps({"id": ids(frames), **error}).encode()]]
        assert connection.post(Hello()) == 4
        (refused,) = connection.replies(10.0)
        assert isinstance(refused, Error)
        assert (refused.id, refused.code) == (4, "stale")


def test_a_message_is_not_posted_without_a_server() -> None:
    with Connection("tcp://127.0.0.1:1", 0.3) as connection:
        assert connection.post(Hello()) is None
        assert list(connection.replies()) == []


def test_no_message_is_queued_for_a_later_server() -> None:
    with zmq.Context.instance().socket(zmq.ROUTER) as probe:
        port = probe.bind_to_random_port("tcp://127.0.0.1")
    address = f"tcp://127.0.0.1:{port}"
    with Connection(address, 0.3) as connection:
        with pytest.raises(ServerUnreachableError, match="skill-serve --model") as caught:
            connection.ask(Hello())
        assert address in str(caught.value)
        # A server that starts now must not receive the old request.
        with zmq.Context.instance().socket(zmq.ROUTER) as late:
            late.linger = 0
            late.bind(address)
            assert not late.poll(500)


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:5555", "tcp://", "tcp://127.0.0.1", "udp://x:1"]
)
def test_a_malformed_address_is_named(address: str) -> None:
    with (
        Connection(address, 1.0) as connection,
        pytest.raises(InvalidAddressError, match="tcp://HOST:PORT"),
    ):
        connection.ask(Hello())


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
def test_a_malformed_reply_is_a_protocol_error(peer: Peer, frames: list[bytes]) -> None:
    peer.answer = lambda request: [frames]
    with Connection(peer.address, 10.0) as connection:
        with pytest.raises(ProtocolError, match=peer.address):
            connection.ask(Hello())
        peer.answer = lambda request: [ok(ids(request))]
        connection.ask(Hello())


def test_a_peer_that_never_pauses_does_not_keep_the_caller(peer: Peer) -> None:
    def flood(frames: list[bytes]) -> list[list[bytes]] | None:
        return [ok(99)] * 2000

    peer.answer = flood
    with Connection(peer.address, 0.5) as connection:
        for _ in range(20):
            connection.post(Hello())
        began = time.monotonic()
        with pytest.raises(ServerUnreachableError):
            connection.ask(Hello())
        assert time.monotonic() - began < DEADLINE_S / 10
        connection.post(Hello())
        list(connection.replies(1.0))  # ends


def test_the_context_of_the_program_may_be_terminated(peer: Peer) -> None:
    program = """
import sys, zmq
from skill_runtime.client import Connection
from skill_proto.messages import Hello
connection = Connection(sys.argv[1], 20.0)
connection.ask(Hello())
zmq.Context.instance().term()
connection.ask(Hello())
zmq.Context.instance().term()
connection.close()
"""
    peer.answer = lambda frames: [ok(ids(frames))]
    done = run(program, peer.address)
    assert (done.returncode, done.stderr) == (0, "")


def test_too_many_open_files_are_named(peer: Peer) -> None:
    program = """
import resource, sys, time
from skill_runtime.client import ClientError, ResourceError, SkillClient
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
clients, errors = [], []
for _ in range(40):
    client = SkillClient(sys.argv[1], timeout_s=20.0)
    try:
        client.clear()
    except ClientError as error:
        assert isinstance(error, ResourceError), error
        errors.append(error)
    clients.append(client)
assert "open files" in str(errors[0]), errors
for client in clients:
    client.close()
while True:  # ZeroMQ frees the files in a thread of its own
    try:
        SkillClient(sys.argv[1], timeout_s=20.0).clear()
        break
    except ResourceError:
        time.sleep(0.01)
print(len(errors))
"""
    peer.answer = lambda frames: [ok(ids(frames))]
    done = run(program, peer.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert 10 < int(done.stdout) < 40


def test_without_a_free_file_no_socket_is_opened() -> None:
    program = """
import os, resource
from skill_runtime.client import ResourceError, SkillClient
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
client = SkillClient("tcp://127.0.0.1:1", timeout_s=0.3)
resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
opened = []
try:
    while True:
        opened.append(os.dup(0))
except OSError:
    pass
for left in range(8):
    for call in (client.hello, client.state, client.stop, lambda: client.acquire("me")):
        try:
            call()
        except ResourceError as error:
            assert "open files" in str(error)
    os.close(opened.pop())
client.close()
"""
    done = run(program)
    assert (done.returncode, done.stderr) == (0, "")


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_frame_beyond_the_limit_is_not_sent(peer: Peer) -> None:
    arrays = {"observation": np.zeros((1100, 1000), np.float32)}
    message = Act(session="s", arrays=array_specs(arrays))
    with Connection(peer.address, 10.0) as connection:
        with pytest.raises(CommandRefusedError, match="fewer rows") as caught:
            connection.ask(message, arrays)
        assert caught.value.code == "too_large"
    assert peer.heard == []
