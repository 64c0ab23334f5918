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


def local_address(port: int) -> str:
    """Returns the ZeroMQ endpoint of a TCP port on this machine."""
    return f"tcp://127.0.0.1:{port}"


DEFAULT_ADDRESS = local_address(COMMAND_PORT)
"""Endpoint for commands of a server that was started without address flags."""
