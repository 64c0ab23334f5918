"""What can go wrong for a client, as a tree: catch wide or narrow.

::

    ClientError
    ├── ServerUnreachableError      nobody answered in time
    │   └── InvalidAddressError     nobody could: the address is none
    ├── ProtocolError               somebody answered what is no message of ours
    ├── NoLeaseError                a command needs the lease, and acquire() was not called
    │   └── LeaseLostError          the lease ran out, a stop revoked it, or the server restarted
    └── CommandRefusedError         the server said no and changed nothing: code, message, fix
        └── LeaseHeldError          another client holds the lease
"""

from __future__ import annotations

from skill_proto.messages import Error, ErrorCode

TRANSIENT_ERRORS: frozenset[ErrorCode] = frozenset({"stale", "not_now"})
"""Refusals of a motion after which the next one of its kind may be accepted. ``stale``: what the
sender knew of the time was old. ``not_now``: the arm is at a fault that may end by itself; a stop
and any other fault end the lease, and the answer is ``no_lease``."""


class ClientError(Exception):
    """Any failure of a client's call."""


class ServerUnreachableError(ClientError):
    """Nobody answered in time. The call may or may not have been carried out."""

    def __init__(self, address: str, timeout_s: float) -> None:
        super().__init__(
            f"no answer from {address} within {timeout_s:g} s; "
            "is a server running there? Start one with: skill-serve --model MODEL.onnx"
        )
        self.address = address


class InvalidAddressError(ServerUnreachableError):
    """The address is not one that ZeroMQ can connect to."""

    def __init__(self, address: str, why: str) -> None:
        ClientError.__init__(
            self,
            f"{address!r} is not an address ({why}); expected tcp://HOST:PORT or ipc://PATH",
        )
        self.address = address


class ProtocolError(ClientError):
    """The answer is not a message of this protocol version."""


class NoLeaseError(ClientError):
    """A command was called without the lease."""


class LeaseLostError(NoLeaseError):
    """The lease has ended; the arm holds or is stopped. ``acquire`` gives a new one."""


class CommandRefusedError(ClientError):
    """The command was refused and changed nothing."""

    def __init__(self, code: ErrorCode, message: str, fix: str) -> None:
        super().__init__(f"{message} ({fix})" if fix else message)
        self.code: ErrorCode = code
        self.message = message
        self.fix = fix


class LeaseHeldError(CommandRefusedError):
    """Another client holds the lease; the message names it."""


def from_reply(error: Error) -> ClientError:
    """The exception for an error reply."""
    if error.code == "no_lease":
        return LeaseLostError(f"{error.message} ({error.fix})")
    kind = LeaseHeldError if error.code == "lease_held" else CommandRefusedError
    return kind(error.code, error.message, error.fix)
