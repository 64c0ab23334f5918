"""The server's sockets inside one process and on virtual time.

Messages arrive at the time for which they were posted and in that order; waiting for one moves the
clock. Everything behind the sockets is the real server.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import zmq

from skill_runtime.fault_injection.virtual_clock import VirtualClock

PortName = Literal["commands", "stop"]


@dataclass(frozen=True)
class VirtualPart:
    """One frame that has arrived."""

    bytes: bytes
    more: bool

    def __len__(self) -> int:
        """Length of the content."""
        return len(self.bytes)


class Sent(NamedTuple):
    """A message on its way to the server."""

    time: float
    order: int
    sender: bytes
    frames: tuple[bytes, ...]


OnReply = Callable[[PortName, bytes, bytes], None]
"""Is told the port, the receiver and the content of each reply."""
OnDelivery = Callable[[PortName, Sent], None]
"""Is told of each message that the server begins to read."""


class VirtualPort:
    """A ROUTER socket of the simulation."""

    def __init__(
        self, name: PortName, clock: VirtualClock, on_reply: OnReply, on_delivery: OnDelivery
    ) -> None:
        self._name: PortName = name
        self._clock = clock
        self._on_reply, self._on_delivery = on_reply, on_delivery
        self._coming: list[Sent] = []
        self._parts: deque[VirtualPart] = deque()

    @property
    def due(self) -> float | None:
        """When the next message arrives [s]; None where none is on its way."""
        if self._parts:
            return self._clock.now()
        return self._coming[0].time if self._coming else None

    def kept_since(self, time_s: float) -> bool:
        """Whether a message that had arrived by then is unread."""
        return bool(self._coming) and self._coming[0].time <= time_s

    def put(self, message: Sent) -> None:
        """Sends a message on its way."""
        heapq.heappush(self._coming, message)

    def recv(self, flags: int = 0, copy: bool = True) -> VirtualPart:
        """The next frame that has arrived.

        Raises:
            zmq.Again: there is none.
        """
        del flags, copy
        if not self._parts:
            if not self._coming or self._coming[0].time > self._clock.time_s:
                raise zmq.Again
            message = heapq.heappop(self._coming)
            self._on_delivery(self._name, message)
            frames = (message.sender, *message.frames)
            last = len(frames) - 1
            self._parts.extend(VirtualPart(frame, i < last) for i, frame in enumerate(frames))
        return self._parts.popleft()

    def send_multipart(self, msg_parts: Sequence[bytes], flags: int = 0) -> None:
        """A reply."""
        del flags
        receiver, *frames = msg_parts
        self._on_reply(self._name, receiver, frames[0])


@dataclass
class VirtualPublisher:
    """The PUB socket of the simulation.

    Attributes:
        on_frame: is told of each frame.
    """

    on_frame: Callable[[bytes], None]

    def send(self, data: bytes, flags: int = 0) -> None:
        """Publishes."""
        del flags
        self.on_frame(data)


@dataclass
class VirtualTransport:
    """Ports, and what is on its way to them."""

    clock: VirtualClock
    on_reply: OnReply
    on_delivery: OnDelivery
    commands: VirtualPort = field(init=False)
    stop: VirtualPort = field(init=False)
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

    def wait(self, milliseconds: int) -> bool:
        """Moves the clock to the next arrival, or by ``milliseconds``."""
        ends = self.clock.now() + milliseconds * 1e-3
        arrivals = [due for due in (self.commands.due, self.stop.due) if due is not None]
        first = min(arrivals, default=ends)
        self.clock.advance_to(min(first, ends))
        return bool(arrivals) and first <= ends
