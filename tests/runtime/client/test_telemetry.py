"""TelemetrySubscription against a publisher that the test controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import zmq
from tests.support.served import DEADLINE_S

from skill_proto.messages import Telemetry
from skill_runtime.client import ProtocolError, ServerUnreachableError
from skill_runtime.client.telemetry import TelemetrySubscription
from skill_runtime.control.arm_controller import ArmController


class Publisher:
    """A PUB socket in place of a server."""

    def __init__(self) -> None:
        self.socket = zmq.Context.instance().socket(zmq.XPUB)
        self.socket.linger = 0
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"

    def wait_for_subscriber(self) -> None:
        assert self.socket.poll(int(1e3 * DEADLINE_S))
        self.socket.recv()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.socket.close()


@pytest.fixture
def subscription(publisher: Publisher) -> Iterator[TelemetrySubscription]:
    """A subscription that is connected."""
    subscription = TelemetrySubscription(lambda: publisher.address)
    subscription.connect()
    publisher.wait_for_subscriber()
    yield subscription
    subscription.close()


@pytest.fixture
def state(telemetry_of: Callable[..., Telemetry], controller: ArmController) -> Telemetry:
    """A state of server time 1."""
    return telemetry_of(controller)


def send(publisher: Publisher, state: Telemetry, time_s: float) -> None:
    message = state.model_copy(update={"time": time_s})
    publisher.socket.send(message.model_dump_json().encode())


def test_without_a_new_state_a_poll_returns_none(subscription: TelemetrySubscription) -> None:
    assert subscription.poll() is None
    assert subscription.latest is None


def test_a_poll_returns_the_newest_state_once(
    publisher: Publisher, subscription: TelemetrySubscription, state: Telemetry
) -> None:
    send(publisher, state, 2.0)
    send(publisher, state, 3.0)
    ends = time.monotonic() + DEADLINE_S
    while subscription.latest is None or subscription.latest.time < 3.0:
        assert time.monotonic() < ends
        subscription.poll()
    assert subscription.poll() is None


def test_a_wait_drops_older_states(
    publisher: Publisher, subscription: TelemetrySubscription, state: Telemetry
) -> None:
    send(publisher, state, 1.0)
    with pytest.raises(ServerUnreachableError, match=publisher.address):
        subscription.wait(2.0, 0.3)
    send(publisher, state, 2.0)
    assert subscription.wait(2.0, DEADLINE_S).time == 2.0


def test_a_malformed_message_is_a_protocol_error(
    publisher: Publisher, subscription: TelemetrySubscription
) -> None:
    publisher.socket.send(b"{}")
    with pytest.raises(ProtocolError, match="telemetry"):
        subscription.wait(0.0, DEADLINE_S)
