"""The client library: everything that a program needs to watch and command a served arm.

::

    from skill_runtime.client import ClientError, SkillClient

It needs neither a simulator nor an inference engine. The modules:

- ``client``: SkillClient, the calls of a program.
- ``aio``: AsyncSkillClient, the same calls for asyncio.
- ``sharding``: sessions divided among several policy services by name.
- ``calls``, ``stop``: the calls as steps, which both clients perform.
- ``steps``: requests, and the other waits of a call.
- ``telemetry``: the subscription to the arm's state.
- ``lease``: the client's side of the lease, renewed by a heartbeat.
- ``servo_stream``: servo targets at up to 1 kHz.
- ``sessions``: the age of recurrent states, compared with that of the server.
- ``requests``: arguments of a call converted to messages.
- ``connection``: requests and replies over one DEALER socket.
- ``sockets``: ZeroMQ sockets, with keys if there are any.
- ``guard``: one call at a time, in one process.
- ``errors``: the exceptions, as a tree.
"""

from skill_runtime.client.client import SkillClient
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import (
    TRANSIENT_ERRORS,
    ClientError,
    CommandRefusedError,
    ForbiddenError,
    HandshakeError,
    InvalidAddressError,
    InvalidUseError,
    LeaseHeldError,
    LeaseLostError,
    NoLeaseError,
    ProtocolError,
    ResourceError,
    ServerReplacedError,
    ServerUnreachableError,
    SessionError,
    SessionLostError,
    SessionSharedError,
    WrongServerError,
)
from skill_runtime.client.lease import ClientLease
from skill_runtime.client.requests import GripperFields, read_keys
from skill_runtime.client.servo_stream import ServoStream

__all__ = [
    "TRANSIENT_ERRORS",
    "ClientError",
    "ClientLease",
    "CommandRefusedError",
    "Connection",
    "ForbiddenError",
    "GripperFields",
    "HandshakeError",
    "InvalidAddressError",
    "InvalidUseError",
    "LeaseHeldError",
    "LeaseLostError",
    "NoLeaseError",
    "ProtocolError",
    "ResourceError",
    "ServerReplacedError",
    "ServerUnreachableError",
    "ServoStream",
    "SessionError",
    "SessionLostError",
    "SessionSharedError",
    "SkillClient",
    "WrongServerError",
    "read_keys",
]
