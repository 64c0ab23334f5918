"""The listening sockets of a server, which outlive the processes that answer on them.

The supervisor binds the addresses once and passes the descriptors on (``ZMQ_USE_FD``). No other
program can take a port while a process is started again, and clients that connect meanwhile wait in
the queue of the system.

The sockets do not block. If two processes see the same new connection, one of them accepts it, and
the other one would wait inside libzmq for the next.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from dataclasses import dataclass

from skill_runtime.transport.addresses import (
    AddressError,
    Addresses,
    absolute_path,
    check_address,
    in_use,
)

BACKLOG = 256
"""Connections that wait to be accepted."""


@dataclass
class Listener:
    """One bound address."""

    socket: socket.socket
    address: str
    """The address with its real port or absolute path, as clients can use it."""

    def descriptor(self) -> int:
        """Returns a descriptor of its own for a ZeroMQ socket, which closes it."""
        return os.dup(self.socket.fileno())

    def close(self) -> None:
        """Closes the socket and removes the path of a Unix-domain socket."""
        self.socket.close()
        transport, _, path = self.address.partition("://")
        if transport == "ipc":
            with suppress(FileNotFoundError):
                os.unlink(path)


class Listeners:
    """The three listening sockets.

    Args:
        addresses: The addresses to bind.
        keyed: Whether clients need keys; then addresses of other machines may be served, too.

    Attributes:
        addresses: The bound addresses.

    Raises:
        AddressError: An address is malformed, in use, or, without keys, not on this machine; no
            socket stays open.
    """

    def __init__(self, addresses: Addresses, *, keyed: bool = False) -> None:
        self._keyed = keyed
        self._open: list[Listener] = []
        try:
            self.commands = self._listen(addresses.commands, "commands")
            self.telemetry = self._listen(addresses.telemetry, "telemetry")
            self.stop = self._listen(addresses.stop, "stop")
        except AddressError:
            self.close()
            raise
        self.addresses = Addresses(
            commands=self.commands.address,
            telemetry=self.telemetry.address,
            stop=self.stop.address,
        )

    def _listen(self, address: str, flag: str) -> Listener:
        listener = listen(address, flag, keyed=self._keyed)
        self._open.append(listener)
        return listener

    def close(self) -> bool:
        """Closes the sockets; returns whether any was open."""
        was_open = bool(self._open)
        for listener in self._open:
            listener.close()
        self._open.clear()
        return was_open


def listen(address: str, flag: str, *, keyed: bool = False) -> Listener:
    """Returns a listening socket.

    Args:
        address: The address to bind.
        flag: Flag of the command line that gives it, for errors.
        keyed: Whether clients need keys.

    Raises:
        AddressError: The address is malformed, in use, or, without keys, not on this machine.
    """
    check_address(address, flag, keyed=keyed)
    transport, _, place = address.partition("://")
    try:
        return _listen_path(place) if transport == "ipc" else _listen_port(place)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise in_use(address, flag) from None
        raise AddressError(f"--{flag} {address!r} cannot be served: {error.strerror}") from None


def _listen_port(place: str) -> Listener:
    host, _, port = place.rpartition(":")
    host = host.strip("[]").replace("localhost", "127.0.0.1")
    host = "0.0.0.0" if host == "*" else host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, 0 if port == "*" else int(port)))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    host = f"[{host}]" if family == socket.AF_INET6 else host
    return Listener(listening, f"tcp://{host}:{listening.getsockname()[1]}")


def _listen_path(place: str) -> Listener:
    path = absolute_path(place)
    if _has_listener(path):
        raise OSError(errno.EADDRINUSE, "in use")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):  # left by a server that was killed
            if not stat.S_ISSOCK(os.lstat(path).st_mode):
                raise OSError(errno.EEXIST, "a file that is not a socket has this name")
            os.unlink(path)
        listening.bind(path)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return Listener(listening, f"ipc://{path}")


def _has_listener(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True
