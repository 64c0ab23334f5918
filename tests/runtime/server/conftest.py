"""A server in a thread, and clients that use only ZeroMQ and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.runtime.server.raw_client import SKILL, RawClient, Refusals
from tests.support.served import LocalServer, serving, until


@pytest.fixture(scope="module")
def live(policy_file: Path) -> Iterator[LocalServer]:
    """A server that runs, the same one for all tests of a module."""
    with serving(policy_file) as served:
        yield served.server


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
def mover(live: LocalServer, connect: Callable[[str], RawClient]) -> Iterator[RawClient]:
    """A client that holds the lease and runs a skill; after the test the arm holds."""
    client = connect(live.addresses.commands)
    client.acquire()
    assert client.command(type="skill", skill=SKILL)["type"] == "ok"
    yield client
    last = connect(live.addresses.commands)
    last.say(type="release", lease=client.lease)
    until(lambda: last.say(type="clear")["type"] == "ok")


@pytest.fixture
def refusals(live: LocalServer, mover: RawClient) -> Refusals:
    """The refusals that follow, after the first commands of the mover."""
    return Refusals(live)


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
