"""TelemetrySubscription against a publisher that the test controls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import zmq
from tests.support.served import DEADLINE_S

from skill_proto.messages import Telemetry
from skill_runtime.client import ProtocolError
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
    subscription = TelemetrySubscription()
    subscription.connect(publisher.address)
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


def next_state(subscription: TelemetrySubscription) -> Telemetry:
    """Returns the next state; fails the test if none arrives."""
    ends = time.monotonic() + DEADLINE_S
    while (state := subscription.poll()) is None:
        assert time.monotonic() < ends
        subscription.wait(1.0)
    return state


def test_without_a_new_state_a_poll_returns_none(subscription: TelemetrySubscription) -> None:
    assert subscription.poll() is None
    subscription.wait(0.01)
    assert subscription.poll() is None


def test_before_it_is_connected_a_poll_returns_none() -> None:
    subscription = TelemetrySubscription()
    subscription.wait(0.01)
    assert subscription.poll() is None
    subscription.close()


def test_a_poll_returns_the_newest_state_once(
    publisher: Publisher, subscription: TelemetrySubscription, state: Telemetry
) -> None:
    send(publisher, state, 2.0)
    send(publisher, state, 3.0)
    while next_state(subscription).time < 3.0:
        pass
    assert subscription.poll() is None


def test_another_address_replaces_the_socket(
    publisher: Publisher, subscription: TelemetrySubscription, state: Telemetry
) -> None:
    other = Publisher()
    try:
        subscription.connect(other.address)
        other.wait_for_subscriber()
        send(other, state, 7.0)
        assert next_state(subscription).time == 7.0
        subscription.connect(other.address)  # has no effect
        send(other, state, 8.0)
        assert next_state(subscription).time == 8.0
    finally:
        other.socket.close()


def test_a_malformed_message_is_a_protocol_error(
    publisher: Publisher, subscription: TelemetrySubscription
) -> None:
    publisher.socket.send(b'{"type":"\\u001b"}')
    with pytest.raises(ProtocolError, match="telemetry") as caught:
        next_state(subscription)
    assert str(caught.value).isprintable()
