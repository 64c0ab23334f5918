"""The exceptions of a client, as a tree.

::

    ClientError
    ├── ServerUnreachableError      no reply within the timeout
    │   └── InvalidAddressError     the address is malformed
    ├── ProtocolError               the reply is not a message of this protocol version
    ├── NoLeaseError                a command needs the lease, and acquire() was not called
    │   └── LeaseLostError          the lease ran out, a stop revoked it, or the server restarted
    └── CommandRefusedError         the server refused the command: code, message, fix
        └── LeaseHeldError          another client holds the lease
"""

from __future__ import annotations

from skill_proto.messages import Error, ErrorCode

TRANSIENT_ERRORS: frozenset[ErrorCode] = frozenset({"stale", "not_now"})
"""Refusals of a motion command after which the next one may be accepted. ``stale``: the command was
too old when the server read it. ``not_now``: the arm has a recoverable fault. A stop and any other
fault end the lease, and the server refuses with ``no_lease``."""


class ClientError(Exception):
    """Any failure of a client's call."""


class ServerUnreachableError(ClientError):
    """The server did not reply in time; it may or may not have executed the call."""

    def __init__(self, address: str, timeout_s: float) -> None:
        super().__init__(
            f"no answer from {address} within {timeout_s:g} s. "
            "Is a server running there? Start one with: skill-serve --model MODEL.onnx"
        )
        self.address = address


class InvalidAddressError(ServerUnreachableError):
    """The address is malformed; ZeroMQ cannot connect to it."""

    def __init__(self, address: str, reason: str) -> None:
        ClientError.__init__(
            self,
            f"{address!r} is not an address: {reason}. Fix: use tcp://HOST:PORT or ipc://PATH",
        )
        self.address = address


class ProtocolError(ClientError):
    """The reply is not a message of this protocol version."""


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
        super().__init__(_with_fix(message, fix))
        self.code: ErrorCode = code
        self.message = message
        self.fix = fix


class LeaseHeldError(CommandRefusedError):
    """Another client holds the lease; the message names it."""


def from_reply(error: Error) -> ClientError:
    """Returns the exception for an error reply."""
    if error.code == "no_lease":
        return LeaseLostError(_with_fix(error.message, error.fix))
    kind = LeaseHeldError if error.code == "lease_held" else CommandRefusedError
    return kind(error.code, error.message, error.fix)


def _with_fix(message: str, fix: str) -> str:
    return f"{message}. Fix: {fix}" if fix else message
