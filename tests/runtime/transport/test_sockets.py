"""ZeroMQ sockets on listening sockets: restarts, names of connections, and limits."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
import zmq
from benchmarks.serving.hostile.zmtp import RawPeer, message
from tests.support.served import DEADLINE_S, until

from skill_proto.topics import TOPICS
from skill_runtime.channel.wakeup import Wakeup
from skill_runtime.transport.addresses import Addresses
from skill_runtime.transport.listeners import Listener, Listeners
from skill_runtime.transport.options import (
    CUT_OFF_BYTES,
    MAX_QUEUED_MESSAGES,
    MAX_SUBSCRIPTION_BYTES,
)
from skill_runtime.transport.sockets import GatewaySockets, publisher_on, router_on
from skill_runtime.transport.topics import Topics

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]

FREE = "tcp://127.0.0.1:*"
DEADLINE_MS = 1e3 * DEADLINE_S
STATE = b"{state}"


class KeepingContext(zmq.Context[Socket]):
    """A context whose sockets stay open until the test ends."""

    kept: ClassVar[list[object]] = []

    def socket(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401  those of pyzmq
        self.kept.append(socket := super().socket(*args, **options))
        return socket


@pytest.fixture
def context() -> Iterator[Context]:
    context = KeepingContext()
    yield context
    context.destroy(linger=0)
    context.kept.clear()


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    with closing(Listeners(Addresses(commands=FREE, telemetry=FREE, stop=FREE))) as listeners:
        yield listeners


def publishing(context: Context, listeners: Listeners) -> tuple[Socket, Topics]:
    """Returns the telemetry socket, and its topics."""
    telemetry = listeners.telemetry
    publisher = publisher_on(context, telemetry.descriptor(), telemetry.address)
    return publisher, Topics(publisher, TOPICS)


def router(context: Context, listener: Listener) -> Socket:
    return router_on(context, listener.descriptor(), listener.address)


def dealer(context: Context, address: str, identity: bytes = b"") -> Socket:
    client = context.socket(zmq.DEALER)
    client.linger = 0
    if identity:
        client.setsockopt(zmq.ROUTING_ID, identity)
    client.connect(address)
    return client


def received(server: Socket) -> list[bytes]:
    assert server.poll(DEADLINE_MS), "no message"
    return server.recv_multipart()


def test_a_socket_on_a_descriptor_serves_its_address(
    context: Context, listeners: Listeners
) -> None:
    server = router(context, listeners.commands)
    client = dealer(context, listeners.addresses.commands)
    client.send(b"question")
    sender, content = received(server)
    assert content == b"question"
    server.send_multipart([sender, b"answer"])
    assert received(client) == [b"answer"]


def test_clients_reach_the_next_socket_on_the_same_address(
    context: Context, listeners: Listeners
) -> None:
    """The address stays bound between two processes; who connects then waits."""
    early = dealer(context, listeners.addresses.stop)
    early.send(b"early")
    first = router(context, listeners.stop)
    assert received(first)[1] == b"early"
    first.close(linger=0)
    late = dealer(context, listeners.addresses.stop)
    second = router(context, listeners.stop)
    for client in (early, late):  # a message to the first socket, which closes, may be lost
        until(lambda client=client: (client.send(b"again"), second.poll(10))[1] > 0)
        while second.poll(100):
            assert second.recv_multipart()[1] == b"again"


def test_the_newest_connection_with_a_name_has_it(context: Context, listeners: Listeners) -> None:
    server = router(context, listeners.stop)
    old = dealer(context, listeners.addresses.stop, b"panel")
    old.send(b"old")
    assert received(server) == [b"panel", b"old"]
    new = dealer(context, listeners.addresses.stop, b"panel")
    for content in (b"1", b"2", b"3"):
        new.send(content)
        assert received(server) == [b"panel", content]
        server.send_multipart([b"panel", b"reply " + content])
        assert received(new) == [b"reply " + content]
    assert not old.poll(0)


def test_a_frame_beyond_the_limit_ends_the_connection(
    context: Context, listeners: Listeners
) -> None:
    server = router(context, listeners.commands)
    client = dealer(context, listeners.addresses.commands)
    events = client.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    client.send(bytes(CUT_OFF_BYTES))
    assert len(received(server)[1]) == CUT_OFF_BYTES
    client.send(bytes(CUT_OFF_BYTES + 1))
    assert events.poll(DEADLINE_MS), "the connection stays open"
    client.disable_monitor()
    other = dealer(context, listeners.addresses.commands)
    other.send(b"other")
    assert received(server)[1] == b"other"


def test_replies_to_a_client_that_does_not_read_are_dropped_without_a_wait(
    context: Context, listeners: Listeners
) -> None:
    server = router(context, listeners.commands)
    client = dealer(context, listeners.addresses.commands)
    client.rcvhwm = 1
    client.send(b"hello")
    sender, _ = received(server)
    big, start = bytes(2**20), time.monotonic()
    for _ in range(4 * MAX_QUEUED_MESSAGES):
        try:
            server.send_multipart([sender, big], zmq.NOBLOCK)
        except zmq.Again:
            break
    assert time.monotonic() - start < DEADLINE_S


def test_a_long_subscription_ends_the_connection_and_a_short_one_is_served(
    context: Context, listeners: Listeners
) -> None:
    publisher, topics = publishing(context, listeners)
    subscriber, hostile = context.socket(zmq.SUB), context.socket(zmq.SUB)
    events = hostile.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    for watcher, topic in (
        (subscriber, b""),
        (hostile, bytes(MAX_SUBSCRIPTION_BYTES + 1)),
    ):
        watcher.subscribe(topic)
        watcher.connect(listeners.addresses.telemetry)
    assert events.poll(DEADLINE_MS), "the connection stays open"
    hostile.disable_monitor()
    until(lambda: (topics.accept(), publisher.send(STATE), subscriber.poll(10))[2] > 0)
    assert subscriber.recv() == STATE


def test_a_publisher_with_very_many_subscriptions_to_read_does_other_work(
    context: Context, listeners: Listeners
) -> None:
    """The last subscription is served after many publications; a long queue takes eight."""
    publisher, granting = publishing(context, listeners)
    topics = [number.to_bytes(8) for number in range(8000)]
    with RawPeer(listeners.addresses.telemetry, "SUB") as subscriber:
        subscriber.send(b"".join(message(b"\1" + topic) for topic in (*topics, b"")))
        publications, ends = 0, time.monotonic() + DEADLINE_S
        while not subscriber.has_frames(0.001):
            granting.accept()
            publisher.send(STATE)
            publications += 1
            assert time.monotonic() < ends, "the subscription to all topics is not served"
    assert publications > 20


def test_a_connection_that_says_nothing_is_closed(
    context: Context, listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skill_runtime.transport.options.HANDSHAKE_MS", 100)
    router(context, listeners.stop)
    port = int(listeners.addresses.stop.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as silent:
        while silent.recv(100):  # the greeting of the server, then the end
            pass


def test_ipv6_and_paths_are_served(context: Context, tmp_path: Path) -> None:
    addresses = [f"ipc://{tmp_path}/arm"]
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        addresses.append("tcp://[::1]:*")
    for address in addresses:
        with closing(Listeners(Addresses(commands=address, telemetry=FREE, stop=FREE))) as opened:
            server = router(context, opened.commands)
            client = context.socket(zmq.DEALER)
            client.linger = 0
            client.setsockopt(zmq.IPV6, 1)
            client.connect(opened.addresses.commands)
            client.send(b"x")
            assert received(server)[1] == b"x"


def test_the_gateway_waits_for_messages_and_for_its_wakeup(
    context: Context, listeners: Listeners
) -> None:
    wakeup = Wakeup.create()
    commands, telemetry = listeners.commands, listeners.telemetry
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    sockets = GatewaySockets(
        (commands.descriptor(), commands.address),
        (telemetry.descriptor(), telemetry.address),
        wakeup.reader,
        act="inproc://act",
    )
    try:
        assert not sockets.wait(0)
        wakeup.wake()
        assert sockets.wait(0)
        sockets.wait_for_wakeup(int(DEADLINE_MS))
        wakeup.clear()
        assert not sockets.wait(0)
        client = dealer(context, listeners.addresses.commands)
        client.send(b"x")
        assert sockets.wait(int(DEADLINE_MS))
        sockets.wait_for_wakeup(0)  # does not hear the client
        assert received(sockets.commands)[1] == b"x"  # type: ignore[arg-type]
        client.close()
    finally:
        sockets.close()
        wakeup.close()
    if before:
        until(lambda: len(os.listdir("/proc/self/fd")) <= before + 8)
