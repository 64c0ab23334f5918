"""Reads whole messages from a ROUTER socket, part by part and in bounded time.

libzmq delivers a message when all its parts have arrived, and the next one when all parts of this
one have been read. A message of a million parts must therefore be read to its end, but not at once:
the reader reports it at the first surplus part, and drops the rest as time allows. There is no
way to close one connection, so the process must end if there are too many surplus parts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import zmq

from skill_proto.wire import MAX_FRAME_BYTES, MAX_PARTS, WireError
from skill_runtime.security.door import sender_of
from skill_runtime.transport.interfaces import RouterSocket

MAX_DROPPED_PARTS = 50_000
"""Surplus parts of one message that are dropped. A process that meets a longer one ends, which
closes the connection and is faster than to drop the rest.

Other clients wait meanwhile: up to 0.15 s for so many parts, which together with a restart stays
below 1 s."""

MAX_DROPPING_S = 0.3
"""Time for the surplus parts of several messages [s]. A process that needs more ends, which drops
all messages that wait; to read two million parts in many messages takes 2 s and more."""

FORGIVEN_SHARE = 0.2
"""Share of the time in which surplus parts may be dropped in the long run."""


class TooManyPartsError(Exception):
    """The messages have too many surplus parts."""


@dataclass(frozen=True)
class Incoming:
    """One message, or its error."""

    sender: bytes
    """ROUTER's name of the connection."""
    frames: list[zmq.Frame]
    """Frames without a copy; empty if ``problem`` is set."""
    problem: WireError | None = None
    key: str = ""
    """Public key of the sender; empty if the socket admits every connection."""


class RouterReader:
    """Reads messages from one ROUTER socket without blocking.

    Args:
        socket: The socket.
        keyed: Whether the messages carry the keys of their senders.
    """

    def __init__(self, socket: RouterSocket, *, keyed: bool = False) -> None:
        self._socket = socket
        self._keyed = keyed
        self._parts: list[zmq.Frame] = []
        self._dropping = False
        self._dropped = 0
        self._dropping_s, self._forgiven_at = 0.0, -math.inf

    def read(
        self, max_parts: int, until: float, now: Callable[[], float] = time.monotonic
    ) -> Iterator[Incoming]:
        """Yields waiting messages, until ``max_parts`` parts are read or the time is ``until``.

        At least one part is read regardless of the time, so that a late loop makes progress.

        Raises:
            TooManyPartsError: The process must start anew.
        """
        instant = self._forgive(now())
        for _ in range(max_parts):
            try:
                part = self._socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            incoming = self._add(part)
            if incoming is not None:
                yield incoming
            before, instant = instant, now()
            if self._dropping:
                self._dropping_s += instant - before
                if self._dropping_s > MAX_DROPPING_S:
                    raise TooManyPartsError
            if instant >= until:
                return

    def _forgive(self, instant: float) -> float:
        """Lowers the time spent on surplus parts; returns the given time."""
        forgiven_s = FORGIVEN_SHARE * (instant - self._forgiven_at)
        self._dropping_s, self._forgiven_at = max(0.0, self._dropping_s - forgiven_s), instant
        return instant

    def _add(self, part: zmq.Frame) -> Incoming | None:
        if self._dropping:
            self._dropping, self._dropped = part.more, self._dropped + 1
            if self._dropped > MAX_DROPPED_PARTS:
                raise TooManyPartsError
            return None
        self._parts.append(part)
        if len(self._parts) > 1 + MAX_PARTS:
            self._dropping, self._dropped = part.more, 0
            return self._finish(too_many_parts())
        if part.more:
            return None
        return self._finish(None)

    def _finish(self, problem: WireError | None) -> Incoming:
        sender, *frames = self._parts
        self._parts = []
        longest = max((len(frame) for frame in frames), default=0)
        if problem is None and longest > MAX_FRAME_BYTES:
            problem = _too_long(longest)
        key = sender_of(frames[-1] if frames else sender) if self._keyed else ""
        return Incoming(sender.bytes, [] if problem else frames, problem, key)


def too_many_parts() -> WireError:
    """Returns the error for a message with more than :data:`MAX_PARTS` frames."""
    return WireError(
        "too_large",
        f"the message has more than {MAX_PARTS} frames; the rest is dropped unread",
        "send one JSON header and at most eight arrays",
    )


def _too_long(length: int) -> WireError:
    return WireError(
        "too_large",
        f"a frame has {length} bytes, the limit is {MAX_FRAME_BYTES}",
        "split the batch",
    )
