"""The interfaces of the sockets of gateway and policy service, which may be real or simulated.

The method names are those of pyzmq, so a real socket satisfies :class:`RouterSocket` directly.
"""

from __future__ import annotations

from typing import Any, Protocol


class RouterSocket(Protocol):
    """A ROUTER socket that is read and written without blocking.

    Raises:
        zmq.Again: No message has arrived, or the send queue is full.
    """

    def recv(self, flags: int = 0, copy: bool = True) -> Any:  # noqa: ANN401  pyzmq's signature
        """Returns the next frame of a message; its ``more`` is set if others follow."""
        ...

    def send_multipart(self, msg_parts: Any, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq
        """Sends a message whose first frame is the receiver's name."""
        ...


class DealerSocket(Protocol):
    """A DEALER socket that is read and written without blocking.

    Raises:
        zmq.Again: No message has arrived, or the send queue is full.
    """

    def recv_multipart(self, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq's signature
        """Returns the frames of the next message."""
        ...

    def send_multipart(self, msg_parts: Any, flags: int = 0, copy: bool = True) -> Any:  # noqa: ANN401  pyzmq
        """Sends a message."""
        ...


class PubSocket(Protocol):
    """A publisher's socket, which never waits for its subscribers."""

    def send(self, data: Any, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq's signature
        """Sends a message of one frame."""
        ...


class TopicSocket(Protocol):
    """Publishes on topics of the telemetry socket."""

    def accept(self) -> None:
        """Reads the subscriptions that have arrived."""
        ...

    def is_subscribed(self, topic: bytes) -> bool:
        """Returns whether a subscriber may want messages of this topic."""
        ...

    def send(self, topic: bytes, content: bytes) -> None:
        """Publishes a message."""
        ...


class Transport(Protocol):
    """The sockets of the gateway."""

    @property
    def commands(self) -> RouterSocket:
        """Receives commands and sends replies."""
        ...

    @property
    def telemetry(self) -> PubSocket:
        """Sends telemetry."""
        ...

    @property
    def topics(self) -> TopicSocket | None:
        """Publishes messages for recorders on the telemetry socket; None without topics."""
        ...

    @property
    def act(self) -> DealerSocket | None:
        """Passes ``act`` requests to the policy service; None without one."""
        ...
