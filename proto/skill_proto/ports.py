"""Default ports and addresses, shared by the server and its clients."""

from __future__ import annotations

COMMAND_PORT = 5555
"""Port for commands."""

TELEMETRY_PORT_OFFSET = 1
"""Port for telemetry minus port for commands."""

STOP_PORT_OFFSET = 2
"""Port for stops minus port for commands."""

MAX_PORT = 65535
"""Highest TCP port."""


DEFAULT_HOST = "127.0.0.1"
"""Host of a server that was started without address flags: this machine."""


def local_address(port: int) -> str:
    """Returns the ZeroMQ endpoint of a TCP port on this machine."""
    return f"tcp://{DEFAULT_HOST}:{port}"


DEFAULT_ADDRESS = local_address(COMMAND_PORT)
"""Endpoint for commands of a server that was started without address flags."""

_ALL_NETWORKS = ("0.0.0.0", "[::]", "*")


def reachable_address(address: str, other: str) -> str:
    """Returns an address at which a client reaches a socket.

    Args:
        address: Endpoint as a server names it; its host may be that of all networks.
        other: Endpoint at which the client has reached this server, whose host takes its place.
    """
    transport, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    if transport != "tcp" or host not in _ALL_NETWORKS or not other.startswith("tcp://"):
        return address
    return f"{other.rpartition(':')[0]}:{port}"
