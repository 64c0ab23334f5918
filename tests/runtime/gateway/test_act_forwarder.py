"""Requests on their way to the policy service, which may be slow, absent or new."""

from __future__ import annotations

import json
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
import zmq
from tests.runtime.gateway.rig import Rig

from skill_proto.messages import REPLY, Error
from skill_runtime.channel.channel import Word
from skill_runtime.gateway.act_forwarder import (
    MAX_REPLIES_PER_STEP,
    MAX_UNSENT_BYTES,
    MAX_WAITING_REQUESTS,
    ActForwarder,
)
from skill_runtime.gateway.config import GatewayConfig
from skill_runtime.policy_service.config import largest_array_bytes
from skill_runtime.transport.router_reader import Incoming


@dataclass
class Socket:
    """The gateway's end of the socket to a service that may not be there."""

    connected: bool = True
    sent: list[list[bytes]] = field(default_factory=list[list[bytes]])
    arrived: deque[list[bytes]] = field(default_factory=deque[list[bytes]])

    def send_multipart(self, msg_parts: Any, flags: int = 0, copy: bool = True) -> Any:  # noqa: ANN401  pyzmq
        assert flags == zmq.NOBLOCK
        if not self.connected:
            raise zmq.Again
        self.sent.append([bytes(memoryview(part)) for part in msg_parts])

    def recv_multipart(self, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq
        assert flags == zmq.NOBLOCK
        if not self.arrived:
            raise zmq.Again
        return self.arrived.popleft()


def request(sender: bytes, number: int = 0, *arrays: bytes) -> Incoming:
    header = json.dumps({"type": "act", "id": number, "session": "s"}).encode()
    return Incoming(sender, [zmq.Frame(header), *map(zmq.Frame, arrays)])


def errors(replies: list[tuple[bytes, str, list[bytes]]]) -> list[tuple[bytes, str, int]]:
    """Returns receiver, code and id of error replies, which are valid."""
    found: list[tuple[bytes, str, int]] = []
    for receiver, code, (frame,) in replies:
        error = REPLY.validate_json(frame, strict=True)
        assert isinstance(error, Error)
        assert (error.code, error.time, error.instance) == (code, 2.5, "this")
        assert error.fix
        found.append((receiver, code, error.id))
    return found


@pytest.fixture
def socket() -> Socket:
    return Socket()


@pytest.fixture
def forwarder(socket: Socket) -> ActForwarder:
    return ActForwarder(socket, "this")


def test_a_request_passes_unread_and_its_reply_back(
    forwarder: ActForwarder, socket: Socket
) -> None:
    assert forwarder.submit(request(b"A", 5, b"\1\2", b""), 5)
    ((sender, header, *arrays),) = socket.sent
    assert (sender, arrays) == (b"A", [b"\1\2", b""])
    assert json.loads(header)["id"] == 5
    socket.arrived.append([b"A", b"", b"header", b"array"])
    socket.arrived.append([b"B", b"invalid", b"error"])
    assert list(forwarder.replies(2.5)) == [
        (b"A", "", [b"header", b"array"]),
        (b"B", "invalid", [b"error"]),
    ]
    assert list(forwarder.replies(2.5)) == []


def test_requests_wait_for_the_start_of_the_service(
    forwarder: ActForwarder, socket: Socket
) -> None:
    socket.connected = False
    for number in range(3):
        assert forwarder.submit(request(b"A", number), number)
    assert socket.sent == []
    socket.connected = True
    forwarder.send()
    assert [json.loads(frames[1])["id"] for frames in socket.sent] == [0, 1, 2]
    forwarder.send()
    assert len(socket.sent) == 3


def test_too_many_requests_without_a_reply_are_refused(
    forwarder: ActForwarder, socket: Socket
) -> None:
    for number in range(MAX_WAITING_REQUESTS):
        assert forwarder.submit(request(b"A", number), number)
    assert not forwarder.submit(request(b"A", 99), 99)
    assert len(socket.sent) == MAX_WAITING_REQUESTS
    socket.arrived.append([b"A", b"", b"reply"])
    list(forwarder.replies(0.0))
    assert forwarder.submit(request(b"A", 99), 99)


def test_too_many_bytes_without_a_service_are_refused(
    forwarder: ActForwarder, socket: Socket
) -> None:
    socket.connected = False
    array = bytes(MAX_UNSENT_BYTES // 2)
    assert forwarder.submit(request(b"A", 0, array), 0)
    assert forwarder.submit(request(b"A", 1, array), 1)
    assert not forwarder.submit(request(b"A", 2), 2)
    socket.connected = True
    forwarder.send()
    assert forwarder.submit(request(b"A", 2), 2)


def test_a_step_reads_a_bounded_number_of_replies(forwarder: ActForwarder, socket: Socket) -> None:
    socket.arrived.extend([[b"A", b"", b"x"]] * (MAX_REPLIES_PER_STEP + 3))
    assert len(list(forwarder.replies(0.0))) == MAX_REPLIES_PER_STEP
    assert len(list(forwarder.replies(0.0))) == 3


def test_requests_that_were_lost_with_a_service_are_answered_once(
    forwarder: ActForwarder, socket: Socket
) -> None:
    for sender, number in ((b"A", 1), (b"B", 2), (b"A", 3)):
        forwarder.submit(request(sender, number), number)
    socket.arrived.append([b"A", b"", b"reply"])  # of the first request
    list(forwarder.replies(0.0))
    lost = forwarder.restarted(2.5)
    assert errors(lost) == [(b"B", "session_lost", 2), (b"A", "session_lost", 3)]
    assert b"restarted" in lost[0][2][0]
    assert forwarder.restarted(2.5) == []


def test_requests_that_were_never_sent_are_not_sent_after_the_error(
    forwarder: ActForwarder, socket: Socket
) -> None:
    socket.connected = False
    forwarder.submit(request(b"A", 1), 1)
    assert errors(forwarder.restarted(2.5)) == [(b"A", "session_lost", 1)]
    socket.connected = True
    forwarder.send()
    assert socket.sent == []


def test_a_service_that_cannot_open_its_policy_fails_all_requests_with_the_reason(
    forwarder: ActForwarder, socket: Socket
) -> None:
    forwarder.submit(request(b"A", 1), 1)
    forwarder.submit(request(b"B", 2), 2)
    socket.arrived.append([b"", b"failed", b"no such file: push.onnx"])
    replies = list(forwarder.replies(2.5))
    assert errors(replies) == [(b"A", "internal", 1), (b"B", "internal", 2)]
    assert b"no such file: push.onnx" in replies[0][2][0]
    socket.arrived.append([b"", b"ready"])
    assert list(forwarder.replies(2.5)) == []


# In the gateway -----------------------------------------------------------------------------------

ACT = {"type": "act", "session": "s"}


def test_the_first_act_asks_for_the_service_and_a_restart_fails_requests(
    gateway_config: GatewayConfig, socket: Socket
) -> None:
    with closing(Rig(gateway_config, act=socket)) as rig:
        client, words = rig.client(), rig.channel.words
        assert client.ask(type="hello")["type"] == "welcome"
        assert words[Word.SERVICE_WANTED] == 0
        socket.connected = False
        client.send(**ACT, id=1)
        rig.gateway.step()
        assert words[Word.SERVICE_WANTED] == 1
        words[Word.SERVICE_STARTS] = 1  # the first start is no failure
        socket.connected = True
        rig.gateway.step()
        assert not client.socket.poll(0)
        assert len(socket.sent) == 1
        words[Word.SERVICE_STARTS] = 2
        rig.gateway.step()
        reply = client.reply()
        assert (reply["code"], reply["id"]) == ("session_lost", 1)
        assert rig.channel.refusals() == {"rejected.session_lost": 1}
        assert rig.commands() == []
        assert not client.socket.poll(0)


def test_replies_of_the_service_pass_with_their_arrays_and_their_errors_are_counted(
    gateway_config: GatewayConfig, socket: Socket
) -> None:
    with closing(Rig(gateway_config, act=socket)) as rig:
        client = rig.client()
        client.send_frames(json.dumps(ACT).encode(), bytes(112))
        rig.gateway.step()
        sender = socket.sent[0][0]
        socket.arrived.append([sender, b"", b'{"type":"acted"}', b"\1\2\3"])
        socket.arrived.append([sender, b"invalid", b'{"type":"error"}'])
        rig.gateway.step()
        assert client.socket.recv_multipart() == [b'{"type":"acted"}', b"\1\2\3"]
        assert client.reply() == {"type": "error"}
        assert rig.channel.refusals() == {"rejected.invalid": 1}


def test_arrays_larger_than_any_of_this_policy_are_refused_before_the_service(
    gateway_config: GatewayConfig, socket: Socket
) -> None:
    largest = largest_array_bytes(gateway_config.welcome.manifest)
    assert largest == 256 * 28 * 8  # rows, observation, bytes of a number
    with closing(Rig(gateway_config, act=socket)) as rig:
        client = rig.client()
        reply = client.ask_frames(json.dumps({**ACT, "id": 4}).encode(), bytes(largest + 1))
        assert (reply["code"], reply["id"]) == ("too_large", 4)
        assert str(largest) in reply["message"]
        assert socket.sent == []
        client.send_frames(json.dumps(ACT).encode(), bytes(largest))
        rig.gateway.step()
        assert len(socket.sent) == 1


def test_an_act_beyond_the_queue_is_busy(gateway_config: GatewayConfig, socket: Socket) -> None:
    with closing(Rig(gateway_config, act=socket)) as rig:
        client = rig.client()
        for number in range(MAX_WAITING_REQUESTS):
            client.send(**ACT, id=number)
        rig.gateway.step()
        reply = client.ask(**ACT, id=64)
        assert (reply["code"], reply["id"]) == ("busy", 64)
