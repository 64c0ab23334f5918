"""A server in a thread, and clients that use only ZeroMQ and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tests.runtime.server.raw_client import SKILL, RawClient
from tests.support.served import LocalServer, Served


@pytest.fixture
def live(served: Served) -> LocalServer:
    """A server that runs; the arm holds."""
    return served.server


@pytest.fixture
def connect() -> Iterator[Callable[[str], RawClient]]:
    """Connects clients, and closes them after the test."""
    clients: list[RawClient] = []

    def start(address: str) -> RawClient:
        clients.append(RawClient(address))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture
def mover(live: LocalServer, connect: Callable[[str], RawClient]) -> RawClient:
    """A client that holds the lease and runs a skill."""
    client = connect(live.addresses.commands)
    client.acquire()
    assert client.command(type="skill", skill=SKILL)["type"] == "ok"
    return client


@pytest.fixture
def other(live: LocalServer, connect: Callable[[str], RawClient]) -> RawClient:
    """A client without a lease."""
    client = connect(live.addresses.commands)
    client.say(type="hello")
    return client


@pytest.fixture
def panel(live: LocalServer, connect: Callable[[str], RawClient]) -> RawClient:
    """A client of the stop socket."""
    return connect(live.addresses.stop)
