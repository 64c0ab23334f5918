"""ZeroMQ sockets on listening sockets that are bound already."""

from __future__ import annotations

from collections.abc import Mapping

import zmq

from skill_proto.topics import TOPICS
from skill_runtime.transport.options import dealer_options, publisher_options, router_options
from skill_runtime.transport.topics import Topics

Socket = zmq.Socket[bytes]
Context = zmq.Context[Socket]


def router_on(context: Context, descriptor: int, address: str) -> Socket:
    """Returns a ROUTER on a listening socket at ``address``, which the ROUTER closes."""
    return _on(context, zmq.ROUTER, descriptor, address, router_options(address))


def publisher_on(context: Context, descriptor: int, address: str) -> Socket:
    """Returns an XPUB on a listening socket at ``address``, which the XPUB closes.

    It publishes to granted subscriptions alone; ``topics`` grants them.
    """
    return _on(context, zmq.XPUB, descriptor, address, publisher_options(address))


def _on(
    context: Context,
    kind: int,
    descriptor: int,
    address: str,
    options: Mapping[zmq.SocketOption, int],
) -> Socket:
    socket = context.socket(kind)
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
    """

    def __init__(
        self,
        commands: tuple[int, str],
        telemetry: tuple[int, str],
        wakeup: int,
        act: str | None = None,
    ) -> None:
        self._context: Context = zmq.Context()
        self.commands = router_on(self._context, *commands)
        self.telemetry = publisher_on(self._context, *telemetry)
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

    def wait(self, milliseconds: int) -> bool:
        """Waits for a message or the wakeup; returns False after the timeout."""
        return bool(self._poller.poll(milliseconds))

    def wait_for_wakeup(self, milliseconds: int) -> None:
        """Waits for the wakeup only."""
        self._wakeup.poll(milliseconds)

    def close(self) -> None:
        """Closes the sockets and drops queued messages."""
        self._context.destroy(linger=0)
