"""stop."""

from __future__ import annotations

from skill_proto.messages import (
    Message,
    Ok,
)
from skill_proto.ports import STOP_PORT_OFFSET
from skill_runtime.client.connection import Connection, expect

STOP_GUESS_S = 0.5
"""Longest wait there for the reply to a stop before the server is asked for the address [s]."""


def send_stop(address: str, timeout_s: float, message: Message) -> float:
    """Server time of the stop."""
    with Connection(address, timeout_s) as channel:
        return expect(channel.ask(message)[0], Ok).time


def usual_stop_address(address: str) -> str | None:
    """The stop address at the default port offset; None if the address has no port number."""
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + STOP_PORT_OFFSET}" if port.isdecimal() else None
