"""The server's three sockets, bound to local addresses and with bounded queues.

Only addresses on this machine are accepted, because any connected client can move the arm.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

import zmq

from skill_proto.ports import (
    COMMAND_PORT,
    DEFAULT_ADDRESS,
    MAX_PORT,
    STOP_PORT_OFFSET,
    TELEMETRY_PORT_OFFSET,
    local_address,
)
from skill_proto.wire import MAX_FRAME_BYTES

MAX_QUEUED_MESSAGES = 64
"""Messages kept per connection and direction."""

CUT_OFF_BYTES = 4 * MAX_FRAME_BYTES
"""ZeroMQ closes a connection at a longer frame; a shorter one gets an error reply."""


class AddressError(Exception):
    """An address cannot be served; the text gives the reason and the fix."""


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Addresses of the three sockets; port ``*`` takes any free port."""

    commands: str = DEFAULT_ADDRESS
    telemetry: str = local_address(COMMAND_PORT + TELEMETRY_PORT_OFFSET)
    stop: str = local_address(COMMAND_PORT + STOP_PORT_OFFSET)


class ServerSockets:
    """The bound sockets: ROUTER for commands and stops, PUB for telemetry.

    Attributes:
        addresses: The bound addresses, with real ports.
    """

    def __init__(self, addresses: Addresses, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Binds all three sockets, or leaves no socket open.

        Raises:
            AddressError: An address is malformed, in use, or not on this machine.
        """
        self._open: list[zmq.Socket[bytes]] = []
        try:
            self.commands = self._bind(context, zmq.ROUTER, addresses.commands, "commands")
            self.telemetry = self._bind(context, zmq.PUB, addresses.telemetry, "telemetry")
            self.stop = self._bind(context, zmq.ROUTER, addresses.stop, "stop")
        except AddressError:
            self.close()
            raise
        self._poller = zmq.Poller()
        self._poller.register(self.commands, zmq.POLLIN)
        self._poller.register(self.stop, zmq.POLLIN)
        self.addresses = Addresses(
            commands=self.commands.getsockopt_string(zmq.LAST_ENDPOINT),
            telemetry=self.telemetry.getsockopt_string(zmq.LAST_ENDPOINT),
            stop=self.stop.getsockopt_string(zmq.LAST_ENDPOINT),
        )

    def _bind(
        self, context: zmq.Context[zmq.Socket[bytes]], kind: int, address: str, flag: str
    ) -> zmq.Socket[bytes]:
        check_local(address, flag)
        if address.startswith("ipc://") and _has_listener(address.removeprefix("ipc://")):
            raise AddressError(_in_use(address, flag))
        bound = context.socket(kind)
        self._open.append(bound)
        bound.setsockopt(zmq.LINGER, 0)
        bound.setsockopt(zmq.IPV6, "[" in address)
        bound.setsockopt(zmq.SNDHWM, MAX_QUEUED_MESSAGES)
        bound.setsockopt(zmq.RCVHWM, MAX_QUEUED_MESSAGES)
        bound.setsockopt(zmq.MAXMSGSIZE, CUT_OFF_BYTES)
        try:
            bound.bind(address.replace("://localhost:", "://127.0.0.1:"))
        except zmq.ZMQError as error:
            raise AddressError(_bind_error(address, flag, error)) from None
        return bound

    def also_wake_for(self, other: zmq.Socket[bytes]) -> None:
        """Makes :meth:`wait` return when a message arrives at another socket, too."""
        self._poller.register(other, zmq.POLLIN)

    def wait(self, milliseconds: int) -> bool:
        """Waits until a message arrives at a polled socket; returns False after the timeout."""
        return bool(self._poller.poll(milliseconds))

    def close(self) -> bool:
        """Closes the open sockets and drops queued messages; returns whether any was open."""
        was_open = bool(self._open)
        for bound in self._open:
            bound.close()
        self._open.clear()
        return was_open


def check_local(address: str, flag: str) -> None:
    """Accepts loopback TCP and Unix-domain (``ipc://``) addresses.

    Raises:
        AddressError: Any other address.
    """
    transport, _, place = address.partition("://")
    if transport == "ipc" and place:
        return
    host, colon, port = place.rpartition(":")
    is_port = port == "*" or (port.isdecimal() and int(port) <= MAX_PORT)
    if transport != "tcp" or not colon or not is_port:
        raise AddressError(
            f"--{flag} {address!r} is not an address; write tcp://127.0.0.1:PORT, with a PORT up "
            f"to {MAX_PORT}, or ipc://PATH"
        )
    try:
        local = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        local = False
    if not local:
        raise AddressError(
            f"--{flag} {address!r} can be reached from other machines, and every client can move "
            "the arm without authentication. Serve on tcp://127.0.0.1:PORT, and connect from other "
            "machines through an SSH tunnel"
        )


def _bind_error(address: str, flag: str, error: zmq.ZMQError) -> str:
    if error.errno == errno.EADDRINUSE:
        return _in_use(address, flag)
    return f"--{flag} {address!r} cannot be served: {error.strerror}"


def _in_use(address: str, flag: str) -> str:
    transport, _, place = address.partition("://")
    name = f"port {place.rpartition(':')[2]}" if transport == "tcp" else place
    return (
        f"{name} is in use ({address}, for {flag}); is another skill-serve running? "
        f"Choose other ports with --port, or another address for this one with --{flag}"
    )


def _has_listener(path: str) -> bool:
    """Whether a server listens at a Unix-domain path, which ZeroMQ would silently take over."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
