"""The door of one process: admits connections by their keys, and checks who sent a message.

libzmq asks a handler at ``inproc://zeromq.zap.01`` whether a connection may be made (ZAP, ZeroMQ
RFC 27). A thread answers, so that a handshake never waits for the work of the process, nor that
for a handshake. Each later message carries the key of its sender (``User-Id``), which is looked up
again, so a key that was revoked fails at the next message although its connection is open.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from skill_runtime.security.authorized_keys import AuthorizedKeys, read
from skill_runtime.security.config import Client, ServerSecurity
from skill_runtime.security.keys import AUTHORIZED_KEYS, SERVER_KEY, read_key_file
from skill_runtime.security.roles import Roles, roles_for, roles_text

ENDPOINT = "inproc://zeromq.zap.01"

REQUESTS, TELEMETRY = "requests", "telemetry"
"""Domains of sockets: on one any client may connect, and each message is checked; on the other, a
client only receives."""

FORGIVEN_HZ = 500.0
"""Messages of strangers per second that a process bears for ever: those of 20 revoked robots that
go on at 25 Hz. To refuse them costs less than a start, which ends the sessions of other clients."""

MAX_STRANGERS = 1000
"""A process with more messages of strangers beyond these ends, which closes all connections, and is
started again. Otherwise a client that was revoked could keep others waiting as long as it sends."""

LOG_PERIOD_S = 5.0
"""The same refusal is logged once in this time [s]."""

MAX_REFUSALS = 256
"""Refusals whose time in the log is remembered."""

STACK_BYTES = 256 * 1024


def read_security(folder: Path) -> ServerSecurity:
    """Returns the keys in a folder, which :mod:`skill_runtime.cli.keys` writes.

    Raises:
        KeyFileError: Files are missing, can be read by others, or are broken.
    """
    pair = read_key_file(folder / SERVER_KEY)
    path = (folder / AUTHORIZED_KEYS).absolute()
    read(path)
    return ServerSecurity(public=pair.public, secret=pair.secret, authorized_keys=path)


class Door:
    """Admits clients to the sockets of one context.

    Args:
        context: The context of all sockets; they must be bound after the door is made.
        security: The keys of the server.
        log: Writes a line of the server's log.

    Attributes:
        strangers: number of messages of keys that are not authorized: keys that were revoked while
            they were connected. :data:`FORGIVEN_HZ` are forgiven.
    """

    def __init__(
        self, context: zmq.Context[Any], security: ServerSecurity, log: Callable[[str], None]
    ) -> None:
        self._security = security
        self._log = log
        self._keys = AuthorizedKeys(security.authorized_keys, security.guests, log)
        self.strangers, self._counted_at = 0.0, time.monotonic()
        self._lock = threading.Lock()
        self._listening: dict[str, Client] = {}  # admitted to telemetry, by key
        self._logged: dict[str, float] = {}
        # The sockets of a shadow are closed by their own thread, not by destroy() of the context.
        self._socket: zmq.Socket[bytes] = zmq.Context(context).socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind(ENDPOINT)
        usual = threading.stack_size(STACK_BYTES)
        self._thread = threading.Thread(target=self._run, name="door", daemon=True)
        self._thread.start()
        threading.stack_size(usual)

    def guard(self, socket: zmq.Socket[Any], domain: str) -> None:
        """Makes a socket accept only authorized clients; to be called before it is bound."""
        socket.curve_server = True
        socket.curve_secretkey = self._security.secret.encode()
        socket.zap_domain = domain.encode()
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # no client is admitted without an answer

    def refusal(self, key: str, kind: str) -> str:
        """Returns why the sender of a message may not send it; empty if it may.

        Args:
            key: Public key of the sender, see :func:`sender_of`.
            kind: Type of the message.
        """
        needed = roles_for(kind)
        client = self._keys.get(key)
        if client is not None and client.roles & needed:
            return ""
        if client is None:
            self._count_stranger()
        reason = _refusal_text(client, kind, needed)
        self._log_refusal(f"{kind[:64]!r} of {_shown(key, client)} is refused: {reason}")
        return reason

    def _count_stranger(self) -> None:
        now = time.monotonic()
        forgiven = FORGIVEN_HZ * (now - self._counted_at)
        self.strangers = max(0.0, self.strangers - forgiven) + 1.0
        self._counted_at = now

    def has_lost_listeners(self) -> bool:
        """Returns whether a client that was admitted to telemetry may not receive it any more.

        libzmq cannot close one connection of a publisher. The caller must close the publisher
        and bind another, to which the others connect again.
        """
        with self._lock:
            lost = [client for client in self._listening.values() if not self._may_listen(client)]
            if lost:
                self._listening.clear()
        for client in lost:
            self._log(f"the key of {client.name!r} no longer receives telemetry")
        return bool(lost)

    def _may_listen(self, client: Client) -> bool:
        current = self._keys.get(client.key)
        return current is not None and bool(current.roles & roles_for(TELEMETRY))

    # The handler --------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                self._socket.send_multipart(self._answer(self._socket.recv_multipart()))
        except zmq.ContextTerminated:
            pass
        except zmq.ZMQError as error:  # without this thread no further client is admitted
            self._log(f"no client can connect any more: {error}")
        finally:
            self._socket.close()

    def _answer(self, request: list[bytes]) -> list[bytes]:
        """Returns the reply to a request of RFC 27."""
        version, number, domain, address, _, mechanism, *credentials = request
        is_whole = mechanism == b"CURVE" and len(credentials) == 1 and len(credentials[0]) == 32
        key = z85.encode(credentials[0]).decode() if is_whole else ""
        reason = self._admit(key, domain.decode("ascii", "replace"))
        if not reason:
            return [version, number, b"200", b"OK", key.encode(), b""]
        shown = _shown(key, self._keys.get(key))
        self._log_refusal(f"a connection of {shown} from {address.decode()} is refused: {reason}")
        return [version, number, b"400", reason.encode("ascii", "replace"), b"", b""]

    def _admit(self, key: str, domain: str) -> str:
        kind = TELEMETRY if domain == TELEMETRY else "hello"
        needed = roles_for(kind)
        with self._lock:
            client = self._keys.get(key)
            if client is None or not client.roles & needed:
                return _refusal_text(client, kind, needed)
            if domain == TELEMETRY:
                self._listening[key] = client
            return ""

    def _log_refusal(self, text: str) -> None:
        now = time.monotonic()
        if now - self._logged.get(text, -LOG_PERIOD_S) < LOG_PERIOD_S:
            return
        if len(self._logged) >= MAX_REFUSALS:
            self._logged.clear()
        self._logged[text] = now
        self._log(text)


def sender_of(frame: zmq.Frame) -> str:
    """Returns the public key of the sender of a frame from a guarded socket."""
    try:
        return str(frame.get("User-Id"))
    except zmq.ZMQError:  # it came another way, and no client has this key
        return ""


def _refusal_text(client: Client | None, kind: str, needed: Roles) -> str:
    if client is None:
        return "the key is not authorized: it is unknown here, or was revoked"
    return (
        f"the key of {client.name!r} has the roles {roles_text(client.roles)}, and {kind!r} needs "
        f"one of {roles_text(needed)}"
    )


def _shown(key: str, client: Client | None) -> str:
    return repr(client.name) if client is not None else f"key {key or '(none)'}"
