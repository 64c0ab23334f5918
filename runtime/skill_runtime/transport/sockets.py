"""ZeroMQ sockets on listening sockets that are bound already."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import zmq

from skill_proto.topics import TOPICS
from skill_runtime.security.config import ServerSecurity
from skill_runtime.security.door import MAX_STRANGERS, REQUESTS, TELEMETRY, Door
from skill_runtime.transport.options import dealer_options, publisher_options, router_options
from skill_runtime.transport.topics import Topics

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]


def router_on(context: Context, descriptor: int, address: str, door: Door | None = None) -> Socket:
    """Returns a ROUTER on a listening socket at ``address``, which the ROUTER closes.

    Args:
        context: Context of the socket.
        descriptor: The listening socket.
        address: Its address.
        door: Admits clients by their keys, and encrypts; None admits every connection. Each
            message must then be checked with ``Door.refusal``.
    """
    socket = context.socket(zmq.ROUTER)
    if door is not None:
        door.guard(socket, REQUESTS)
    return _bound(socket, descriptor, address, router_options(address))


def publisher_on(
    context: Context, descriptor: int, address: str, door: Door | None = None
) -> Socket:
    """Returns an XPUB on a listening socket at ``address``, which the XPUB closes.

    It publishes to granted subscriptions alone; ``topics`` grants them.

    Args:
        context: Context of the socket.
        descriptor: The listening socket.
        address: Its address.
        door: Admits clients by their keys, and encrypts; None admits every connection. The socket
            must be replaced after ``Door.has_lost_listeners``.
    """
    socket = context.socket(zmq.XPUB)
    if door is not None:
        door.guard(socket, TELEMETRY)
    options = publisher_options(address, keyed=door is not None)
    return _bound(socket, descriptor, address, options)


def _bound(
    socket: Socket, descriptor: int, address: str, options: Mapping[zmq.SocketOption, int]
) -> Socket:
    _set_options(socket, options)
    socket.setsockopt(zmq.USE_FD, descriptor)
    socket.bind(address)
    return socket


def _set_options(socket: Socket, options: Mapping[zmq.SocketOption, int]) -> None:
    for option, value in options.items():
        socket.setsockopt(option, value)


class GatewaySockets:
    """The sockets of the gateway.

    Args:
        commands: Descriptor and address of the listening socket for commands.
        telemetry: The same for telemetry.
        act: Address of the policy service; None without one.
        wakeup: Descriptor that becomes readable when the controller has written.
        security: Keys of the server; None admits every connection.
        log: Writes a line about keys.

    Attributes:
        door: Checks the senders of messages; None admits every one.
    """

    def __init__(
        self,
        commands: tuple[int, str],
        telemetry: tuple[int, str],
        wakeup: int,
        act: str | None = None,
        *,
        security: ServerSecurity | None = None,
        log: Callable[[str], None] = print,
    ) -> None:
        self._context: Context = zmq.Context()
        self.door = None if security is None else Door(self._context, security, log)
        self._listener = telemetry
        self.commands = router_on(self._context, *commands, self.door)
        self.telemetry = self._publisher()
        self.topics = Topics(self.telemetry, TOPICS)
        self.act: Socket | None = None
        self._poller = zmq.Poller()
        self._poller.register(self.commands, zmq.POLLIN)
        self._poller.register(wakeup, zmq.POLLIN)
        self._wakeup = zmq.Poller()
        self._wakeup.register(wakeup, zmq.POLLIN)
        if act is not None:
            self.act = self._context.socket(zmq.DEALER)
            _set_options(self.act, dealer_options(act))
            self.act.bind(act)
            self._poller.register(self.act, zmq.POLLIN)

    def _publisher(self) -> Socket:
        descriptor, address = self._listener
        if self.door is not None:  # another publisher may follow, and needs the listening socket
            self._listener = os.dup(descriptor), address
        return publisher_on(self._context, descriptor, address, self.door)

    def cut_off_telemetry(self) -> None:
        """Closes all connections for telemetry, if one of them belongs to a key that was revoked.

        The other subscribers connect again by themselves, libzmq tries every 0.1 s.
        """
        if self.door is not None and self.door.has_lost_listeners():
            self.telemetry.close()
            self.telemetry = self._publisher()
            self.topics = Topics(self.telemetry, TOPICS)

    @property
    def has_strangers(self) -> bool:
        """Whether too many messages came from keys that are not authorized."""
        return self.door is not None and self.door.strangers > MAX_STRANGERS

    def wait(self, milliseconds: int) -> bool:
        """Waits for a message or the wakeup; returns False after the timeout."""
        return bool(self._poller.poll(milliseconds))

    def wait_for_wakeup(self, milliseconds: int) -> None:
        """Waits for the wakeup only."""
        self._wakeup.poll(milliseconds)

    def close(self) -> None:
        """Closes the sockets and drops queued messages."""
        self._context.destroy(linger=0)
