"""The topics of the telemetry socket.

Telemetry is one frame of JSON. A message with a topic has two frames, and goes only to subscribers
that name the topic: a client of the empty subscription, with ``CONFLATE``, would lose telemetry to
it. So the empty subscription is replaced by the first character of telemetry. libzmq calls this a
manual subscription.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from typing import Any, Protocol

import zmq

from skill_proto.topics import TELEMETRY_PREFIX

MAX_ACCEPTING_S = 0.003
"""Longest time that one step reads subscriptions [s]. libzmq keeps those that arrive faster, and a
new subscriber waits behind them; with this time, no peer in Python is faster."""

SUBSCRIPTIONS_PER_LOOK = 64
"""Subscriptions between two looks at the clock."""

_SUBSCRIBE, _CANCEL = 1, 0


class XpubSocket(Protocol):
    """An XPUB socket with ``XPUB_MANUAL``, by pyzmq's names."""

    def recv(self, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq's signature
        """Returns a subscription: 1 or, for its end, 0; then the topic."""
        ...

    def setsockopt(self, option: int, optval: Any) -> Any:  # noqa: ANN401  pyzmq's signature
        """Grants a subscription to the subscriber of the last :meth:`recv`."""
        ...

    def send_multipart(self, msg_parts: Any, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq
        """Publishes a message; its first frame is the topic."""
        ...


class Topics:
    """Grants subscriptions, and publishes on topics.

    Args:
        socket: The telemetry socket.
        names: The topics. A subscription to anything else is granted only if it is a prefix of
            telemetry, so that foreign topics take no memory here.
    """

    def __init__(self, socket: XpubSocket, names: Collection[bytes]) -> None:
        self._socket = socket
        self._names = frozenset(names)
        self._subscribers: Counter[bytes] = Counter()

    def accept(self) -> None:
        """Reads the subscriptions that have arrived, within bounds."""
        ends = time.monotonic() + MAX_ACCEPTING_S
        while self._accept_some() and time.monotonic() < ends:
            pass

    def _accept_some(self) -> bool:
        """Reads a few subscriptions; returns whether others may wait."""
        for _ in range(SUBSCRIPTIONS_PER_LOOK):
            try:
                frame: bytes = self._socket.recv(zmq.NOBLOCK)
            except zmq.ZMQError:  # none waits
                return False
            if frame[:1] == bytes([_SUBSCRIBE]):
                self._grant(frame[1:])
            elif frame[:1] == bytes([_CANCEL]):
                self._end(frame[1:])
        return True

    def _grant(self, topic: bytes) -> None:
        granted = self._granted(topic)
        if granted:
            self._subscribers[topic] += 1
            self._socket.setsockopt(zmq.SUBSCRIBE, granted)

    def _end(self, topic: bytes) -> None:
        granted = self._granted(topic)
        if granted and self._subscribers[topic] > 0:
            self._subscribers[topic] -= 1
            self._socket.setsockopt(zmq.UNSUBSCRIBE, granted)

    def _granted(self, topic: bytes) -> bytes:
        """Returns the subscription in place of this one; empty if it is not granted."""
        if not topic:
            return TELEMETRY_PREFIX
        known = topic in self._names or topic.startswith(TELEMETRY_PREFIX)
        return topic if known else b""

    def is_subscribed(self, topic: bytes) -> bool:
        """Returns whether a subscriber may want messages of this topic."""
        return self._subscribers[topic] > 0

    def send(self, topic: bytes, content: bytes) -> None:
        """Publishes a message; a subscriber that does not read loses it."""
        self._socket.send_multipart([topic, content], zmq.NOBLOCK)
