"""Transport: what the server needs of its sockets, so that they may be real or simulated.

The names are those of pyzmq: a real socket is a port as it is.
"""

from __future__ import annotations

from typing import Any, Protocol


class Port(Protocol):
    """A ROUTER socket that is read and written without ever waiting.

    Raises:
        zmq.Again: nothing has arrived, or there is no room for what is to be sent.
    """

    def recv(self, flags: int = 0, copy: bool = True) -> Any:  # noqa: ANN401  pyzmq's signature
        """The next frame of a message; without a copy it says whether ``more`` follow."""
        ...

    def send_multipart(self, msg_parts: Any, flags: int = 0) -> Any:  # noqa: ANN401
        """A message; its first frame is the receiver's name."""
        ...


class Publisher(Protocol):
    """A PUB socket, which never waits for those who listen."""

    def send(self, data: Any, flags: int = 0) -> Any:  # noqa: ANN401  pyzmq's signature
        """A message of one frame."""
        ...


class Transport(Protocol):
    """The server's three sockets."""

    @property
    def commands(self) -> Port:
        """Commands come in, replies go out."""
        ...

    @property
    def stop(self) -> Port:
        """The same for stops."""
        ...

    @property
    def telemetry(self) -> Publisher:
        """States go out."""
        ...

    def wait(self, milliseconds: int) -> bool:
        """Waits until something has arrived; False where nothing has."""
        ...
