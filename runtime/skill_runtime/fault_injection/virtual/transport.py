"""The server's sockets inside one process and on virtual time.

Messages arrive at the time for which they were posted, in that order. All code behind the sockets
is that of the real server.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import zmq

from skill_runtime.fault_injection.virtual.clock import VirtualClock

PortName = Literal["commands", "stop"]


@dataclass(frozen=True)
class VirtualPart:
    """One frame that has arrived."""

    bytes: bytes
    more: bool

    def __len__(self) -> int:
        """Returns the length of the content."""
        return len(self.bytes)


class Sent(NamedTuple):
    """A message to the server, in transit."""

    time: float
    order: int
    sender: bytes
    frames: tuple[bytes, ...]


OnReply = Callable[[PortName, bytes, bytes], None]
"""Called with the port, the receiver and the content of each reply."""
OnDelivery = Callable[[PortName, Sent], None]
"""Called with each message that the server begins to read."""


class VirtualPort:
    """A simulated ROUTER socket."""

    def __init__(
        self, name: PortName, clock: VirtualClock, on_reply: OnReply, on_delivery: OnDelivery
    ) -> None:
        self._name: PortName = name
        self._clock = clock
        self._on_reply, self._on_delivery = on_reply, on_delivery
        self._in_transit: list[Sent] = []
        self._parts: deque[VirtualPart] = deque()

    @property
    def due(self) -> float | None:
        """Arrival time of the next message [s]; None without a message."""
        if self._parts:
            return self._clock.now()
        return self._in_transit[0].time if self._in_transit else None

    def drop_connection(self) -> None:
        """Drops the rest of a message that a process had begun to read when it died."""
        self._parts.clear()

    def put(self, message: Sent) -> None:
        """Puts a message in transit."""
        heapq.heappush(self._in_transit, message)

    def recv(self, flags: int = 0, copy: bool = True) -> VirtualPart:
        """Returns the next frame that has arrived.

        Raises:
            zmq.Again: no frame has arrived.
        """
        del flags, copy
        if not self._parts:
            if not self._in_transit or self._in_transit[0].time > self._clock.time_s:
                raise zmq.Again
            message = heapq.heappop(self._in_transit)
            self._on_delivery(self._name, message)
            frames = (message.sender, *message.frames)
            last = len(frames) - 1
            self._parts.extend(VirtualPart(frame, i < last) for i, frame in enumerate(frames))
        return self._parts.popleft()

    def send_multipart(self, msg_parts: Sequence[bytes], flags: int = 0) -> None:
        """Delivers a reply."""
        del flags
        receiver, *frames = msg_parts
        self._on_reply(self._name, receiver, frames[0])


@dataclass
class VirtualPublisher:
    """A simulated PUB socket.

    Attributes:
        on_frame: called with each frame.
    """

    on_frame: Callable[[bytes], None]

    def send(self, data: bytes, flags: int = 0) -> None:
        """Publishes one frame."""
        del flags
        self.on_frame(data)


@dataclass
class VirtualTransport:
    """The server's ports and the messages in transit to them; it has no policy service."""

    clock: VirtualClock
    on_reply: OnReply
    on_delivery: OnDelivery
    commands: VirtualPort = field(init=False)
    stop: VirtualPort = field(init=False)
    act: None = None
    topics: None = None
    telemetry: VirtualPublisher = field(default_factory=lambda: VirtualPublisher(lambda _: None))
    _order: int = 0

    def __post_init__(self) -> None:
        self.commands = VirtualPort("commands", self.clock, self.on_reply, self.on_delivery)
        self.stop = VirtualPort("stop", self.clock, self.on_reply, self.on_delivery)

    def post(self, port: PortName, arrives: float, sender: bytes, *frames: bytes) -> None:
        """Sends a message that arrives at server time ``arrives`` [s]."""
        self._order += 1
        target = self.stop if port == "stop" else self.commands
        target.put(Sent(arrives, self._order, sender, frames))
