"""The stop request: sent to the server's stop socket, which the server reads before all others.

A client that has not said hello does not know the address of that socket. To save the round trip,
the stop first goes to the address at the default port offset.
"""

from __future__ import annotations

from collections.abc import Callable

from skill_proto.messages import Ok, Stop
from skill_proto.ports import STOP_PORT_OFFSET
from skill_runtime.client.connection import Connection, expect
from skill_runtime.client.errors import ClientError

GUESS_TIMEOUT_S = 0.5
"""Longest wait for a reply from the default address [s]."""


def send_stop(
    stop: Stop, timeout_s: float, *, guess: str | None, find_address: Callable[[], str]
) -> float:
    """Stops the arm and returns the server time of the stop [s].

    Args:
        stop: The request.
        timeout_s: Longest wait for a reply [s].
        guess: Address to try before ``find_address``; None if that needs no request.
        find_address: Returns the address of the stop socket.

    Raises:
        ClientError: no server confirmed the stop.
    """
    stopped_at = None if guess is None else _try_stop(guess, min(timeout_s, GUESS_TIMEOUT_S), stop)
    try:
        # The server at the guessed address may be that of another arm.
        address = find_address()
        if stopped_at is None or address != guess:
            stopped_at = _request_stop(address, timeout_s, stop)
    except ClientError:
        if stopped_at is None:
            raise
    return stopped_at


def default_stop_address(address: str) -> str | None:
    """Returns the stop address at the default port offset; None without a port number."""
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + STOP_PORT_OFFSET}" if port.isdecimal() else None


def _try_stop(address: str, timeout_s: float, stop: Stop) -> float | None:
    try:
        return _request_stop(address, timeout_s, stop)
    except ClientError:
        return None


def _request_stop(address: str, timeout_s: float, stop: Stop) -> float:
    with Connection(address, timeout_s) as connection:
        return expect(connection.ask(stop)[0], Ok).time
