"""Why a connection of a client was refused: the events of its handshake.

libzmq repeats a connection that fails, in silence. Its monitor (zmq_socket_monitor(3)) has the
reason: event ``HANDSHAKE_FAILED_AUTH`` if the handler of the server refused the key,
``HANDSHAKE_FAILED_PROTOCOL`` if only one side has keys, and ``HANDSHAKE_FAILED_NO_DETAIL`` if the
server closed the connection, as it does if it cannot decrypt the first message.
"""

from __future__ import annotations

import itertools
import struct
from contextlib import suppress
from typing import Any

import zmq

_OTHER_MECHANISM = 0x11000002
"""``ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH`` of zmq.h."""

_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)

_numbers = itertools.count()

REFUSED = (
    "the server refuses the key of this client: it is not in authorized_keys, was revoked, or has "
    "no role for this socket. Fix: ask the server's operator for: skill-keys allow"
)
NO_SERVER_KEYS = (
    "the server has no keys, so nobody can tell that it is the one that is meant. Fix: start it "
    "with --keys, or connect without key and server_key"
)
NEEDS_KEYS = (
    "the server admits only clients with keys. Fix: make one with skill-keys new client, have it "
    "allowed, and give key and server_key"
)
WRONG_SERVER_KEY = (
    "the server ends the handshake: server_key is not its public key, or it has no keys, or it is "
    "just being started again. Fix: take the key that its banner prints; if it prints none, start "
    "it with --keys; if the key has changed unexpectedly, another program may pretend to be the "
    "server"
)
ENDED = (
    "the server ends the handshake: it admits only clients with keys, or is no skill-serve. Fix: "
    "give key and server_key, or start a server with: skill-serve --model FILE"
)


class Handshake:
    """Follows the handshakes of one socket.

    Args:
        socket: The socket, before it connects.
        context: A context of plain sockets that shares the libzmq context of ``socket``.
        keyed: Whether it has keys.

    Raises:
        zmq.ZMQError: The process cannot open another socket.
    """

    def __init__(self, socket: zmq.Socket[Any], context: zmq.Context[Any], *, keyed: bool) -> None:
        self._keyed = keyed
        self._certain = self._likely = ""
        address = f"inproc://handshake-{next(_numbers)}"
        self._monitor: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        self._monitor.linger = 0
        socket.monitor(address, _EVENTS)
        self._monitor.connect(address)

    @property
    def monitor(self) -> zmq.Socket[bytes]:
        """Readable when there is an event."""
        return self._monitor

    def refusal(self) -> str:
        """Returns why the newest handshake failed, if that is certain; else an empty text."""
        self._read()
        return self._certain

    def likely_refusal(self) -> str:
        """Returns the probable reason for a connection that has not come about."""
        self._read()
        return self._certain or self._likely

    def _read(self) -> None:
        try:
            while not self._monitor.closed:
                event, value = struct.unpack("=hi", self._monitor.recv_multipart(zmq.NOBLOCK)[0])
                self._add(event & 0xFFFF, value)
        except zmq.ZMQError:  # no other event, or the context has ended
            return

    def _add(self, event: int, value: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._certain = self._likely = ""
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self._certain = REFUSED
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL and value == _OTHER_MECHANISM:
            self._certain = NO_SERVER_KEYS if self._keyed else NEEDS_KEYS
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            self._likely = WRONG_SERVER_KEY if self._keyed else ENDED

    def close(self) -> None:
        """Closes the monitor; the socket itself must be closed before."""
        self._monitor.close()

    def __del__(self) -> None:
        with suppress(Exception):  # at the end of the interpreter, modules may be gone
            self._monitor.close()
