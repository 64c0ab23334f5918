"""Calls the handlers of sockets that are ready, without waiting for any."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable


class Poller:
    """Calls the handler of each socket that is ready."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}

    def add(self, connection: socket.socket, handler: Callable[[int], None]) -> None:
        """Calls ``handler`` with the epoll events of a socket as soon as it is readable."""
        self._handlers[connection.fileno()] = handler
        self._epoll.register(connection, select.EPOLLIN)

    def watch_writable(self, connection: socket.socket, writable: bool) -> None:
        """Sets whether the handler is called when the socket can be written, too."""
        self._epoll.modify(connection, select.EPOLLIN | (select.EPOLLOUT if writable else 0))

    def remove(self, connection: socket.socket) -> None:
        """Forgets a socket; call it before the socket is closed."""
        del self._handlers[connection.fileno()]
        self._epoll.unregister(connection)

    def poll(self) -> None:
        """Calls the handlers of all sockets that are ready now."""
        for descriptor, events in self._epoll.poll(0):
            handler = self._handlers.get(descriptor)
            if handler is not None:  # an earlier handler may have closed the socket
                handler(events)

    def close(self) -> None:
        """Frees the kernel's list of sockets."""
        self._epoll.close()
