"""The exceptions of a client, as a tree.

::

    ClientError
    ├── InvalidUseError             a thread, a process or an argument with which no call works
    ├── ResourceError               this process cannot open a socket or start a thread
    ├── ServerUnreachableError      no reply within the timeout
    │   ├── InvalidAddressError     the address is malformed
    │   └── HandshakeError          the server refused the connection, because of keys
    ├── ProtocolError               the reply is not a message of this protocol version
    ├── WrongServerError            an address belongs to another server than the one that is meant
    │   └── ServerReplacedError     the server was started again, or the port leads elsewhere now
    ├── SessionError                the recurrent state of a session is not that of its requests
    │   ├── SessionLostError        the server dropped it
    │   └── SessionSharedError      another program sent requests to it
    ├── NoLeaseError                a command needs the lease, and acquire() was not called
    │   └── LeaseLostError          the lease ran out, a stop revoked it, or the server restarted
    └── CommandRefusedError         the server refused the command: code, message, fix
        ├── LeaseHeldError          another client holds the lease
        └── ForbiddenError          the key has no role for it, or was revoked

Every text is safe to print: control characters that came over the wire are escaped.
"""

from __future__ import annotations

import re

from skill_proto.messages import Error, ErrorCode
from skill_proto.printable import printable
from skill_proto.validation_text import clip

TRANSIENT_ERRORS: frozenset[ErrorCode] = frozenset({"stale", "not_now", "busy"})
"""Refusals of a motion command after which the next one may be accepted.

``stale``: the command was too old when the server read it. ``not_now``: the arm has a recoverable
fault, or the policy waits for the first pose of an object. ``busy``: too many commands wait in the
server. A stop and any other fault end the lease, and the server refuses with ``no_lease``.
"""

MAX_TEXT = 1000
"""Longest text of a server that an error repeats [characters]."""

_SAME_VERSION = "install the same version of skill-serve on both sides"

_FIXES: dict[ErrorCode, str] = {
    "no_lease": "call acquire() again if this program should still command the arm",
    "stale": "call again; if it is refused again, give a longer valid_for_s",
    "out_of_order": "command with one client at a time under this lease",
    "too_large": "send less data in one call",
    "malformed": _SAME_VERSION,
    "unknown_type": _SAME_VERSION,
    "wrong_version": _SAME_VERSION,
    "session_lost": "call act() again: the session then begins with an empty recurrent state",
}
"""Fixes in terms of this client, in place of those that name fields of a message."""


class ClientError(Exception):
    """Any failure of a client's call."""


class InvalidUseError(ClientError):
    """The client is used in a thread, a process or with an argument with which no call works."""


class ResourceError(ClientError):
    """This process cannot open a socket or start a thread."""


class ServerUnreachableError(ClientError):
    """The server did not reply in time; it may or may not have executed the call."""

    def __init__(self, address: str, timeout_s: float, fix: str = "") -> None:
        fix = fix or "Is a server running there? Start one with: skill-serve --model MODEL.onnx"
        super().__init__(f"no answer from {printable(address)} within {timeout_s:g} s. {fix}")
        self.address = address


class InvalidAddressError(ServerUnreachableError):
    """The address is malformed; ZeroMQ cannot connect to it."""

    def __init__(self, address: object, reason: str) -> None:
        shown = printable(clip(repr(address), 200))
        ClientError.__init__(
            self, f"{shown} is not an address: {reason}. Fix: use tcp://HOST:PORT or ipc://PATH"
        )
        self.address = str(address)


class HandshakeError(ServerUnreachableError):
    """The connection was refused before any message: because of the key of client or server.

    Attributes:
        is_certain: whether the reason is known; else it is the probable one, after the timeout.
    """

    def __init__(self, address: str, reason: str, *, is_certain: bool = True) -> None:
        ClientError.__init__(self, f"{printable(address)}: {reason}")
        self.address = address
        self.is_certain = is_certain


class ProtocolError(ClientError):
    """The reply is not a message of this protocol version."""


class WrongServerError(ClientError):
    """An address belongs to another server than the one that is meant."""


class ServerReplacedError(WrongServerError):
    """Another server answers than before; the call had no effect. ``hello`` adopts the new one."""


class SessionError(ClientError):
    """The recurrent state of a session is not that of this client's requests."""


class SessionLostError(SessionError):
    """The server dropped the recurrent state of a session; it starts again at zero."""


class SessionSharedError(SessionError):
    """The recurrent state of a session includes requests of another program."""


class NoLeaseError(ClientError):
    """The client does not hold the lease that the command needs."""


class LeaseLostError(NoLeaseError):
    """The lease has ended; the arm holds or is stopped. ``acquire`` returns a new one."""


class CommandRefusedError(ClientError):
    """The command was refused and had no effect.

    Attributes:
        code: class of the refusal.
        message: the problem and the expected value.
        fix: the remedy; may be empty.
    """

    def __init__(self, code: ErrorCode, message: str, fix: str) -> None:
        self.code: ErrorCode = code
        self.message = _safe(message)
        self.fix = _safe(fix)
        super().__init__(_with_fix(self.message, self.fix))


class LeaseHeldError(CommandRefusedError):
    """Another client holds the lease; the message names it."""


class ForbiddenError(CommandRefusedError):
    """The key of this client has no role for the call, or was revoked."""


def from_reply(error: Error, address: str) -> ClientError:
    """Returns the exception for an error reply from ``address``."""
    message = _safe(error.message)
    fix = _FIXES.get(error.code) or _as_calls(_safe(error.fix))
    match error.code:
        case "no_lease":
            return LeaseLostError(_with_fix(message, fix))
        case "session_lost":
            return SessionLostError(_with_fix(message, fix))
        case "wrong_server":
            return replaced(address)
        case "lease_held":
            return LeaseHeldError(error.code, message, fix)
        case "forbidden":
            return ForbiddenError(error.code, message, fix)
        case _:
            return CommandRefusedError(error.code, message, fix)


def replaced(
    address: str, fix: str = "call hello() to use the new server, then acquire() again"
) -> ServerReplacedError:
    """Returns the error for another server at ``address`` than before."""
    return ServerReplacedError(
        f"another server answers at {printable(address)} than before: it was started again, or "
        f"the port leads elsewhere now. The call had no effect. Fix: {fix}"
    )


def lost_with_server(address: str, session: str) -> SessionLostError:
    """Returns the error for a session whose state was lost with the server at ``address``."""
    return SessionLostError(
        f"the recurrent state of session {session!r} was lost: the service at "
        f"{printable(address)} was started again, or the port leads elsewhere now. Fix: begin the "
        "episode again; the next call goes to the new service"
    )


def _as_calls(fix: str) -> str:
    """Rewrites a fix in terms of messages as one in terms of the client's methods."""
    fix = re.sub(r"\bsend '([a-z_]+)'", r"call \1()", fix)
    return fix.replace("'acquire' a new lease", "call acquire()")


def _safe(text: str) -> str:
    return clip(printable(text), MAX_TEXT)


def _with_fix(message: str, fix: str) -> str:
    return f"{message}. Fix: {fix}" if fix else message
