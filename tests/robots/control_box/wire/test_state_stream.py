"""The UDP side of a connection, with real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from skill_robots.control_box.wire.state_stream import StateStream

ADDRESS = "127.46.0.1"


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.settimeout(2.0)
        yield client


@pytest.fixture
def stream(client: socket.socket) -> Iterator[StateStream]:
    stream = StateStream(ADDRESS, "127.0.0.1", client.getsockname()[1])
    yield stream
    stream.close()


def test_states_go_out_and_answers_come_back_in_order(
    stream: StateStream, client: socket.socket
) -> None:
    stream.send(b"state")
    data, source = client.recvfrom(100)
    assert data == b"state"
    assert source[0] == ADDRESS
    assert stream.receive() is None
    client.sendto(b"first", source)
    client.sendto(b"second", source)
    assert [stream.receive() for _ in range(3)] == [b"first", b"second", None]


def test_other_senders_are_ignored(stream: StateStream, client: socket.socket) -> None:
    stream.send(b"state")
    _, source = client.recvfrom(100)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.sendto(b"forged", source)
    assert stream.receive() is None


def test_a_closed_port_is_no_error(stream: StateStream, client: socket.socket) -> None:
    client.close()
    for _ in range(5):
        stream.send(b"state")
        assert stream.receive() is None


def test_port_0_is_refused() -> None:
    with pytest.raises(OSError, match="port 0"):
        StateStream(ADDRESS, "127.0.0.1", 0)
