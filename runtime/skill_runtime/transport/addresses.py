"""The addresses of a server. Without keys, only those on this machine are accepted.

Without keys, any connected client can move the arm, so the server must not be reached from other
machines.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from dataclasses import dataclass

from skill_proto.ports import (
    COMMAND_PORT,
    DEFAULT_ADDRESS,
    MAX_PORT,
    STOP_PORT_OFFSET,
    TELEMETRY_PORT_OFFSET,
    local_address,
)

MAX_PATH_BYTES = 107
"""Longest path of a Unix-domain socket (``sun_path`` in unix(7))."""


class AddressError(Exception):
    """An address cannot be served; the text gives the reason and the fix."""


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Addresses of the three sockets; port ``*`` takes any free port."""

    commands: str = DEFAULT_ADDRESS
    telemetry: str = local_address(COMMAND_PORT + TELEMETRY_PORT_OFFSET)
    stop: str = local_address(COMMAND_PORT + STOP_PORT_OFFSET)


def check_address(address: str, flag: str, *, keyed: bool = False) -> None:
    """Accepts loopback TCP and Unix-domain (``ipc://``) addresses; with keys, any TCP address.

    Raises:
        AddressError: Any other address.
    """
    transport, _, place = address.partition("://")
    if transport == "ipc" and place:
        path = absolute_path(place)
        if len(os.fsencode(path)) > MAX_PATH_BYTES:
            raise AddressError(
                f"--{flag} {address!r}: the path {path} is longer than {MAX_PATH_BYTES} bytes, the "
                "limit of the system; choose a shorter one, e.g. in /run or /tmp"
            )
        return
    host, colon, port = place.rpartition(":")
    is_port = port == "*" or (port.isdecimal() and int(port) <= MAX_PORT)
    if transport != "tcp" or not colon or not is_port:
        raise AddressError(
            f"--{flag} {address!r} is not an address; write tcp://127.0.0.1:PORT, with a PORT up "
            f"to {MAX_PORT}, or ipc://PATH"
        )
    if not (keyed or is_loopback(host)):
        raise AddressError(
            f"--{flag} {address!r} can be reached from other machines, and without keys every "
            "client can move the arm. Make keys with: skill-keys new server (docs/security.md), "
            "or serve on tcp://127.0.0.1:PORT"
        )


def is_loopback(host: str) -> bool:
    """Returns whether a host of a TCP address is this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def free_port(host: str, port: int) -> int:
    """Returns the port, or a free one for 0, after a check that a program can listen on it.

    Args:
        host: Address of this machine, of IPv4 or IPv6, without brackets.
        port: The port; 0 for any.

    Raises:
        OSError: The address is in use, or none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def absolute_path(path: str) -> str:
    """Returns the path of a Unix-domain socket from the root, so that every client finds it."""
    return os.path.abspath(path)


def in_use(address: str, flag: str) -> AddressError:
    """Returns the error for an address that another program serves."""
    transport, _, place = address.partition("://")
    name = f"port {place.rpartition(':')[2]}" if transport == "tcp" else place
    return AddressError(
        f"{name} is in use ({address}, for {flag}); is another skill-serve running? "
        f"Choose other ports with --port, or another address for this one with --{flag}"
    )
