"""Subscriptions of the telemetry socket: telemetry alone, or topics beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq
from tests.support.served import until

from skill_proto.topics import COMMANDED_TOPIC, POLICY_STEP_TOPIC, TOPICS
from skill_runtime.transport.options import publisher_options
from skill_runtime.transport.topics import Topics

ADDRESS = "inproc://telemetry"
STATE = b'{"v":1}'
Socket = zmq.Socket[bytes]


class Publisher:
    """A telemetry socket with topics."""

    def __init__(self) -> None:
        self.context: zmq.Context[Socket] = zmq.Context()
        self._kept: list[Socket] = []
        self.socket = self.context.socket(zmq.XPUB)
        for option, value in publisher_options("").items():
            self.socket.setsockopt(option, value)
        self.socket.bind(ADDRESS)
        self.topics = Topics(self.socket, TOPICS)

    def subscriber(self, *subscriptions: bytes, conflate: bool = False) -> Socket:
        socket = self.context.socket(zmq.SUB)
        self._kept.append(socket)
        socket.setsockopt(zmq.LINGER, 0)
        if conflate:
            socket.setsockopt(zmq.CONFLATE, 1)
        for subscription in subscriptions:
            socket.subscribe(subscription)
        socket.connect(ADDRESS)
        return socket

    def publish(self) -> None:
        self.topics.accept()
        self.socket.send(STATE, zmq.NOBLOCK)
        for topic in TOPICS:
            self.topics.send(topic, b"{}")

    def received(self, socket: Socket) -> list[list[bytes]]:
        """Returns the messages of one publication, once the subscription is in force."""
        until(lambda: (self.publish(), socket.poll(5))[1] > 0)
        while socket.poll(5):
            socket.recv_multipart()
        self.publish()
        found: list[list[bytes]] = []
        while socket.poll(50):
            found.append(socket.recv_multipart())
        return found


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    yield publisher
    publisher.context.destroy(linger=0)


def test_the_empty_subscription_receives_telemetry_alone(publisher: Publisher) -> None:
    assert publisher.received(publisher.subscriber(b"")) == [[STATE]]
    # A client that keeps only the newest message would otherwise lose telemetry to a topic.
    assert publisher.received(publisher.subscriber(b"", conflate=True)) == [[STATE]]
    assert publisher.received(publisher.subscriber(b'{"v":1')) == [[STATE]]


def test_a_recorder_receives_the_topics_that_it_names(publisher: Publisher) -> None:
    recorder = publisher.subscriber(b"", POLICY_STEP_TOPIC)
    assert publisher.received(recorder) == [[STATE], [POLICY_STEP_TOPIC, b"{}"]]


def test_topics_count_their_subscribers(publisher: Publisher) -> None:
    topics = publisher.topics
    assert not topics.is_subscribed(COMMANDED_TOPIC)
    recorder = publisher.subscriber(COMMANDED_TOPIC)
    until(lambda: (topics.accept(), topics.is_subscribed(COMMANDED_TOPIC))[1])
    assert not topics.is_subscribed(POLICY_STEP_TOPIC)
    recorder.close()
    until(lambda: (topics.accept(), not topics.is_subscribed(COMMANDED_TOPIC))[1])


def test_an_unknown_topic_is_not_granted(publisher: Publisher) -> None:
    stranger = publisher.subscriber(b"policy", b"x" * 200)
    telemetry = publisher.subscriber(b"")
    assert publisher.received(telemetry) == [[STATE]]
    assert not stranger.poll(0)
