"""Checks the address of a server before a client waits for it.

ZeroMQ accepts a port that does not exist, and connects to it without end.
"""

from __future__ import annotations

from skill_proto.ports import MAX_PORT
from skill_runtime.client.errors import InvalidAddressError


def check_address(address: object) -> None:
    """Accepts ``tcp://HOST:PORT`` and ``ipc://PATH``; the host is not looked up.

    Raises:
        InvalidAddressError: Any other address; the text gives the reason.
    """
    reason = _fault_of(address)
    if reason:
        raise InvalidAddressError(address, reason)


def _fault_of(address: object) -> str:
    """Returns the fault of an address; an empty text if it has none."""
    if not isinstance(address, str):
        return "it is not a text"
    transport, separator, place = address.partition("://")
    if not separator or transport not in ("tcp", "ipc"):
        return "it begins with neither tcp:// nor ipc://"
    if transport == "ipc":
        return "" if place else "it has no path"
    host, colon, port = place.rpartition(":")
    if not host or not colon:
        return "it has no host or no port"
    is_number = port.isascii() and port.isdecimal() and len(port) <= len(str(MAX_PORT))
    if not is_number or not 1 <= int(port) <= MAX_PORT:
        return f"its port is not a number from 1 to {MAX_PORT}"
    return ""
