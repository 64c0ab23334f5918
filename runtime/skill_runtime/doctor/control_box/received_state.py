"""Decodes the states that a control box sends."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.wire.protocol import (
    ERROR_COUNT,
    ControllerMode,
    GeneratorMode,
    Protocol,
)
from skill_robots.control_box.wire.robot_state import ACCELEROMETERS, FIELDS
from skill_robots.franka.errors import names_of
from skill_robots.franka.robot_mode import RobotMode
from skill_runtime.doctor.control_box.client import ControlBoxError

_MESSAGE_ID = struct.Struct("<Q")


@dataclass(frozen=True, kw_only=True)
class ReceivedState:
    """One state of the robot, with the fields of ``control_box.wire.robot_state.RobotState``."""

    message_id: int
    """Time of the state [ms]."""
    numbers: Mapping[str, Array]
    """By name, such as ``q`` ``(7,)`` [rad]."""
    motion_generator_mode: str
    controller_mode: str
    robot_mode: str
    errors: tuple[str, ...]
    """Names of the active errors."""
    reflex_reason: tuple[str, ...]
    """Names of the errors that ended the last motion."""
    control_command_success_rate: float


def message_id(datagram: bytes) -> int:
    """Returns the number of a state, which is its time [ms]."""
    return _MESSAGE_ID.unpack_from(datagram)[0]


@dataclass(frozen=True, kw_only=True)
class Glance:
    """The part of a state that is read in each millisecond of a motion."""

    moves: bool
    """Whether the robot is in the mode Move."""
    position: Array
    """``(7,)`` measured joint position [rad]."""
    success_rate: float


class Glimpse:
    """Reads a part of a state, which is faster than :func:`decode`."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._type = np.dtype(protocol.number_type)
        places, count = _places(protocol)
        self._position = _MESSAGE_ID.size + self._type.itemsize * places["q"].start
        self._mode = _MESSAGE_ID.size + self._type.itemsize * count + 2 + 2 * ERROR_COUNT

    def read(self, datagram: bytes) -> Glance:
        """Reads a datagram.

        Raises:
            ControlBoxError: the datagram has another size than a state of the protocol.
        """
        _check_size(datagram, self._protocol)
        return Glance(
            moves=datagram[self._mode] == RobotMode.MOVE,
            position=np.frombuffer(datagram, self._type, 7, self._position),
            success_rate=float(np.frombuffer(datagram, self._type, 1, self._mode + 1)[0]),
        )


def decode(datagram: bytes, protocol: Protocol) -> ReceivedState:
    """Decodes a datagram.

    A mode that the protocol does not list is named by its number.

    Raises:
        ControlBoxError: the datagram has another size than a state of the protocol.
    """
    _check_size(datagram, protocol)
    places, count = _places(protocol)
    values = np.frombuffer(datagram, protocol.number_type, count, _MESSAGE_ID.size)
    numbers = {name: values[place].astype(np.float64) for name, place in places.items()}
    flags = _MESSAGE_ID.size + values.nbytes
    errors = flags + 2
    reasons = errors + ERROR_COUNT
    mode = reasons + ERROR_COUNT
    rate = np.frombuffer(datagram, protocol.number_type, 1, mode + 1)
    return ReceivedState(
        message_id=message_id(datagram),
        numbers=numbers,
        motion_generator_mode=_name(GeneratorMode, datagram[flags]),
        controller_mode=_name(ControllerMode, datagram[flags + 1]),
        robot_mode=_name(RobotMode, datagram[mode]),
        errors=names_of(datagram[errors:reasons]),
        reflex_reason=names_of(datagram[reasons:mode]),
        control_command_success_rate=float(rate[0]),
    )


def _places(protocol: Protocol) -> tuple[dict[str, slice], int]:
    """Returns the place of each field among the numbers of a state, and their count."""
    places: dict[str, slice] = {}
    count = 0
    for name, size in FIELDS + (ACCELEROMETERS if protocol.has_accelerometers else ()):
        places[name] = slice(count, count + size)
        count += size
    return places, count


def _check_size(datagram: bytes, protocol: Protocol) -> None:
    if len(datagram) != protocol.state_size:
        raise ControlBoxError(
            f"a state of version {protocol.version} has {protocol.state_size} bytes, the robot "
            f"sent {len(datagram)}"
        )


def _name(kind: type[GeneratorMode | ControllerMode | RobotMode], value: int) -> str:
    try:
        return kind(value).name.lower()
    except ValueError:
        return str(value)
