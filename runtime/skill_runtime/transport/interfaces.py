"""The interfaces of the server's sockets, which may be real or simulated.

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

    def send_multipart(self, msg_parts: Any, flags: int = 0) -> Any:  # noqa: ANN401
        """Sends a message whose first frame is the receiver's name."""
        ...


class PubSocket(Protocol):
    """A PUB socket, which never waits for its subscribers."""

    def send(self, data: Any, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq's signature
        """Sends a message of one frame."""
        ...


class Transport(Protocol):
    """The server's three sockets."""

    @property
    def commands(self) -> RouterSocket:
        """Receives commands and sends replies."""
        ...

    @property
    def stop(self) -> RouterSocket:
        """Receives stops and sends replies."""
        ...

    @property
    def telemetry(self) -> PubSocket:
        """Sends telemetry."""
        ...

    def wait(self, milliseconds: int) -> bool:
        """Waits until a message has arrived; returns False after the timeout."""
        ...
