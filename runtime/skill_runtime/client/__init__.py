"""The client library: everything that a program needs to watch and command a served arm.

::

    from skill_runtime.client import ClientError, SkillClient

It needs neither a simulator nor an inference engine. The modules:

- ``client``: SkillClient, the calls of a program.
- ``telemetry``: the subscription to the arm's state.
- ``lease``: the client's side of the lease, renewed by a heartbeat.
- ``servo_stream``: servo targets at up to 1 kHz.
- ``stop``: the stop request, on a socket of its own.
- ``requests``: arguments of a call converted to messages.
- ``connection``: requests and replies over one DEALER socket.
- ``errors``: the exceptions, as a tree.
"""

from skill_runtime.client.client import SkillClient
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import (
    TRANSIENT_ERRORS,
    ClientError,
    CommandRefusedError,
    InvalidAddressError,
    LeaseHeldError,
    LeaseLostError,
    NoLeaseError,
    ProtocolError,
    ServerUnreachableError,
)
from skill_runtime.client.lease import ClientLease
from skill_runtime.client.requests import GripperFields
from skill_runtime.client.servo_stream import ServoStream

__all__ = [
    "TRANSIENT_ERRORS",
    "ClientError",
    "ClientLease",
    "CommandRefusedError",
    "Connection",
    "GripperFields",
    "InvalidAddressError",
    "LeaseHeldError",
    "LeaseLostError",
    "NoLeaseError",
    "ProtocolError",
    "ServerUnreachableError",
    "ServoStream",
    "SkillClient",
]
