"""Asks a Franka control unit for its version, status and URDF, without a vendor's library.

The protocol is that of libfranka-common (``research_interface/robot/service_types.h``): packed,
little-endian requests on TCP port 1337 with a header of three 32-bit numbers, command, id and size.
A control unit answers a Connect of any version with its own. A library of another version only
raises an error, so the version decides which library is imported. A library may also refuse a robot
that has stopped itself (franky sets thresholds in its constructor), so the status comes first.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from skill_robots.arm import ArmCommunicationError, ArmError
from skill_robots.franka.errors import ERROR_NAMES, names_of

ROBOT_PORT = 1337
"""TCP port of the robot's services."""

TIMEOUT_S = 2.0
"""Longest wait for the connection, and for each reply [s]."""

MAX_URDF_BYTES = 1 << 20
"""Longest URDF that is read."""

FER_VERSION, FR3_VERSION = 5, 10

RECOVERY_TIMEOUT_S = 20.0
"""Longest wait for an error recovery [s]; real robots take 0.4 to 16 s (franka_ros, issue 317)."""

_HEADER = struct.Struct("<III")
_CONNECT, _GET_ROBOT_MODEL = 0, 11
_RECOVER = {FER_VERSION: 12, FR3_VERSION: 10}
"""Command AutomaticErrorRecovery by version."""

_ERRORS_AT = {FER_VERSION: 2282, FR3_VERSION: 1290}
"""Place of the present errors in a state, by version: one byte for each error."""
_MODE_AT = {FER_VERSION: 2364, FR3_VERSION: 1372}
"""Place of the robot's mode in a state, by version."""

SYSTEMS = {
    3: "a Panda with system 3",
    4: "a Panda with system 4.0 or 4.1",
    5: "a Panda (FER) with system 4.2.1 or newer",
    6: "an FR3 with system 5.2 to 5.4",
    7: "an FR3 with system 5.5 or 5.6",
    8: "an FR3 with system 5.7.0 or 5.7.1",
    9: "an FR3 with system 5.7.2 to 5.8",
    10: "an FR3 with system 5.9 or newer",
}
"""Robot by version of its protocol (libfranka, compatibility matrix)."""

_UPDATES = {
    3: "update the robot to system 4.2.1 or newer",
    4: "update the robot to system 4.2.1 or newer",
    **dict.fromkeys((6, 7, 8, 9), "update the robot to system 5.9 or newer"),
}


class RobotStatus(NamedTuple):
    """Mode and errors of a robot."""

    mode: int
    """Number of a ``RobotMode``."""
    errors: tuple[str, ...]
    """Present errors, by libfranka's names."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """The Python package that speaks one version of the protocol."""

    package: str
    """Distribution, with the versions that fit."""
    module: str
    """Module that it installs."""


LIBRARIES = {
    FER_VERSION: Library(package="panda-python>=1.1,<2", module="panda_py"),
    FR3_VERSION: Library(package="franky-control>=2,<3", module="franky"),
}
"""Supported versions of the protocol."""


def server_version(address: str, *, timeout_s: float = TIMEOUT_S) -> int:
    """Returns the protocol version of a control unit.

    Args:
        address: host name or IP address.
        timeout_s: longest wait for the connection, and for the reply [s].

    Raises:
        ArmCommunicationError: no control unit answers.
    """
    with _connected(address, timeout_s) as connection:
        _, version = _connect(connection, version=0, udp_port=0)
    return version


def library_for(version: int) -> Library:
    """Returns the package for a protocol version.

    Raises:
        ArmError: no supported package speaks it.
    """
    library = LIBRARIES.get(version)
    if library is None:
        known = "; ".join(f"{number}: {SYSTEMS[number]}" for number in LIBRARIES)
        robot = SYSTEMS.get(version, "a robot that this program does not know")
        fix = _UPDATES.get(version, "look for a newer version of skill-serve")
        raise ArmError(
            f"the robot speaks version {version} of the Franka Control Interface ({robot}), "
            f"supported are {known}; {fix}"
        )
    return library


def robot_status(address: str, version: int, *, timeout_s: float = TIMEOUT_S) -> RobotStatus:
    """Returns mode and errors of a robot; no other program may be connected to it.

    Args:
        address: host name or IP address.
        version: protocol version, a supported one.
        timeout_s: longest wait for the connection, for each reply, and for a state [s].

    Raises:
        ArmCommunicationError: the control unit does not answer, or sends no states.
        ArmError: it has another protocol version.
    """
    with _session(address, version, timeout_s) as (_, states):
        states.settimeout(timeout_s)
        try:
            state = states.recv(4096)
        except TimeoutError:
            raise ArmCommunicationError(
                f"the control unit {address} answers, but its states do not arrive: let UDP pass "
                "through the firewall of this computer"
            ) from None
    errors = state[_ERRORS_AT[version] :][: len(ERROR_NAMES)]
    return RobotStatus(state[_MODE_AT[version]], names_of(errors))


def clear_errors(address: str, version: int, *, timeout_s: float = RECOVERY_TIMEOUT_S) -> None:
    """Runs a robot's automatic error recovery; no other program may be connected to it.

    Args:
        address: host name or IP address.
        version: protocol version, a supported one.
        timeout_s: longest wait for each reply [s].

    Raises:
        ArmCommunicationError: the control unit does not answer.
        ArmError: the robot does not recover.
    """
    with _session(address, version, timeout_s) as (connection, _):
        connection.sendall(_HEADER.pack(_RECOVER[version], 2, _HEADER.size))
        reply = _reply(connection, request=2)
    if reply[:1] != b"\0":
        raise ArmError(
            "the robot does not recover from its errors: look at the robot, and clear them in Desk"
        )


def robot_model(address: str, *, timeout_s: float = TIMEOUT_S) -> str:
    """Returns the URDF of an FR3 with protocol version 10; no other program may be connected.

    Args:
        address: host name or IP address.
        timeout_s: longest wait for the connection, and for each reply [s].

    Raises:
        ArmCommunicationError: the control unit does not answer.
        ArmError: it has another protocol version, or refuses its URDF.
    """
    with _session(address, FR3_VERSION, timeout_s) as (connection, _):
        connection.sendall(_HEADER.pack(_GET_ROBOT_MODEL, 2, _HEADER.size))
        reply = _reply(connection, request=2)
    if reply[:1] != b"\0":
        raise ArmError(
            "the robot refuses to send its URDF (GetRobotModel); this happens while safety rules "
            "of Watchman are active: deactivate them in Desk"
        )
    return reply[1:].decode("utf-8", "replace")


@contextmanager
def _session(
    address: str, version: int, timeout_s: float
) -> Generator[tuple[socket.socket, socket.socket]]:
    """Connects as a client of a version; yields the connection, and the socket of the states."""
    with (
        _connected(address, timeout_s) as connection,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as states,
    ):
        states.bind(("", 0))
        status, served = _connect(connection, version=version, udp_port=states.getsockname()[1])
        if status != 0:
            raise ArmError(f"the robot speaks version {served}, expected {version}")
        yield connection, states


@contextmanager
def _connected(address: str, timeout_s: float) -> Generator[socket.socket]:
    try:
        with socket.create_connection((address, ROBOT_PORT), timeout=timeout_s) as connection:
            yield connection
    except ConnectionRefusedError:
        raise ArmCommunicationError(
            f"no control unit listens on {address}, port {ROBOT_PORT}: activate FCI in Desk, or "
            "check the address"
        ) from None
    except TimeoutError:
        raise ArmCommunicationError(
            f"{address} does not answer within {timeout_s:g} s: check the cable, the address, and "
            "that this computer is in the robot's network"
        ) from None
    except OSError as error:
        raise ArmCommunicationError(
            f"{address} cannot be reached: {error.strerror or error}"
        ) from None


def _connect(connection: socket.socket, *, version: int, udp_port: int) -> tuple[int, int]:
    """Sends Connect; returns its status and the version of the control unit."""
    body = struct.pack("<HH", version, udp_port)
    connection.sendall(_HEADER.pack(_CONNECT, 1, _HEADER.size + len(body)) + body)
    reply = _reply(connection, request=1)
    if len(reply) < 3:
        raise ArmCommunicationError(
            f"a program on port {ROBOT_PORT} answers, but it is no Franka control unit"
        )
    status, served = struct.unpack_from("<BH", reply)
    return status, served


def _reply(connection: socket.socket, *, request: int) -> bytes:
    """Returns the reply to a request, without its header."""
    while True:
        _, number, size = _HEADER.unpack(_receive(connection, _HEADER.size))
        if not _HEADER.size <= size <= MAX_URDF_BYTES:
            raise ArmCommunicationError(
                f"a program on port {ROBOT_PORT} answers, but it is no Franka control unit"
            )
        body = _receive(connection, size - _HEADER.size)
        if number == request:
            return body


def _receive(connection: socket.socket, size: int) -> bytes:
    """Receives exactly ``size`` bytes."""
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ArmCommunicationError(
                "the control unit closed the connection: another program may be connected to it"
            )
        data += part
    return bytes(data)
