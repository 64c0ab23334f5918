"""The two versions of the Franka Control Interface that the control box speaks, as data.

Version 5 is the last one of the Panda (FER, libfranka 0.9); version 10 is the one of the FR3 with
robot system 5.9 or newer (libfranka 0.18 and later). All structures are packed and little-endian.
The source of every number is the header files of libfranka-common (``research_interface/robot/
service_types.h``, ``rbk_types.h`` and ``research_interface/gripper/types.h``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, auto
from types import MappingProxyType
from typing import TypeVar

from skill_robots.franka.errors import ErrorBit

ROBOT_PORT = 1337
"""TCP port of the robot's services. Clients cannot change it."""
GRIPPER_PORT = 1338
"""TCP port of the gripper's services."""
GRIPPER_VERSION = 3
"""Version of the gripper's protocol; the same for both robots."""


class Request(Enum):
    """Requests of the robot's TCP service, in the order of the ids of both versions."""

    CONNECT = auto()
    MOVE = auto()
    STOP_MOVE = auto()
    GET_CARTESIAN_LIMIT = auto()
    SET_COLLISION_BEHAVIOR = auto()
    SET_JOINT_IMPEDANCE = auto()
    SET_CARTESIAN_IMPEDANCE = auto()
    SET_GUIDING_MODE = auto()
    SET_EE_TO_K = auto()
    SET_NE_TO_EE = auto()
    SET_LOAD = auto()
    SET_FILTERS = auto()
    AUTOMATIC_ERROR_RECOVERY = auto()
    LOAD_MODEL_LIBRARY = auto()
    GET_ROBOT_MODEL = auto()


class MoveStatus(Enum):
    """Replies to Move: the first one at once, the last one when the motion has ended."""

    SUCCESS = auto()
    MOTION_STARTED = auto()
    PREEMPTED = auto()
    PREEMPTED_BY_SAFETY_FUNCTION = auto()
    """Version 10 only."""
    REJECTED_BY_SAFETY_FUNCTION = auto()
    """Version 10 only."""
    NOT_POSSIBLE = auto()
    START_AT_SINGULAR_POSE = auto()
    INVALID_ARGUMENT = auto()
    REFLEX_ABORTED = auto()
    EMERGENCY_ABORTED = auto()
    INPUT_ERROR_ABORTED = auto()
    ABORTED = auto()


class StopStatus(Enum):
    """Replies to StopMove."""

    SUCCESS = auto()
    NOT_POSSIBLE = auto()
    REJECTED_BY_SAFETY_FUNCTION = auto()
    """Version 10 only."""
    EMERGENCY_ABORTED = auto()
    REFLEX_ABORTED = auto()
    ABORTED = auto()


class RecoveryStatus(Enum):
    """Replies to AutomaticErrorRecovery."""

    SUCCESS = auto()
    NOT_POSSIBLE = auto()
    REJECTED_BY_SAFETY_FUNCTION = auto()
    """Version 10 only."""
    MANUAL_RECOVERY_REQUIRED = auto()
    REFLEX_ABORTED = auto()
    EMERGENCY_ABORTED = auto()
    ABORTED = auto()


class SetterStatus(Enum):
    """Replies to the setters, and to GetCartesianLimit."""

    SUCCESS = auto()
    NOT_POSSIBLE = auto()
    INVALID_ARGUMENT = auto()
    REJECTED_BY_SAFETY_FUNCTION = auto()
    """Version 10 only."""


class GeneratorMode(IntEnum):
    """``motion_generator_mode`` of the state. A Move request carries the value minus one."""

    IDLE = 0
    JOINT_POSITION = 1
    JOINT_VELOCITY = 2
    CARTESIAN_POSITION = 3
    CARTESIAN_VELOCITY = 4
    NONE = 5
    """Torque control on version 10. Version 5 has no such mode: its clients ask for
    :attr:`JOINT_VELOCITY` together with :attr:`ControllerMode.EXTERNAL`."""


class ControllerMode(IntEnum):
    """``controller_mode`` of the state, and of a Move request (0 to 2)."""

    JOINT_IMPEDANCE = 0
    CARTESIAN_IMPEDANCE = 1
    EXTERNAL = 2
    """Torque control."""
    OTHER = 3


class GripperStatus(IntEnum):
    """Replies of the gripper; the values are those on the wire."""

    SUCCESS = 0
    FAIL = 1
    UNSUCCESSFUL = 2
    """The motion ended, but not as asked: no object between the fingers, or a width that was not
    reached."""
    ABORTED = 3


ERROR_COUNT = len(ErrorBit)
"""Bytes of ``errors``, and of ``reflex_reason``: one for each error."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One version of the robot's protocol."""

    version: int
    number_type: str
    """numpy type of a number in the state, for example ``<f4``."""
    has_accelerometers: bool
    """Whether the state has two blocks of accelerometer readings after ``dtheta``."""
    state_size: int
    """Size of a RobotState datagram [bytes]."""
    command_size: int
    """Size of a RobotCommand datagram [bytes]."""
    move_size: int
    """Size of a Move request without its header [bytes]."""
    has_torque_finished: bool
    """Whether a command ends with ``torque_command_finished``, and Move has a generator NONE."""
    requests: Mapping[int, Request]
    """Request by its id."""
    move_codes: Mapping[MoveStatus, int]
    stop_codes: Mapping[StopStatus, int]
    recovery_codes: Mapping[RecoveryStatus, int]
    setter_codes: Mapping[SetterStatus, int]
    replaced_errors: Mapping[ErrorBit, ErrorBit]
    """Errors that this version reports under another name."""

    def error_bit(self, error: ErrorBit) -> ErrorBit:
        """Returns the bit under which this version reports an error."""
        return self.replaced_errors.get(error, error)


_Member = TypeVar("_Member")


def _numbered(*members: _Member) -> Mapping[_Member, int]:
    """Returns consecutive codes from 0 for the members."""
    return MappingProxyType({member: code for code, member in enumerate(members)})


FER_PROTOCOL = Protocol(
    version=5,
    number_type="<f8",
    has_accelerometers=False,
    state_size=2373,
    command_size=370,
    move_size=56,
    has_torque_finished=False,
    requests=MappingProxyType(
        dict(enumerate(request for request in Request if request is not Request.GET_ROBOT_MODEL))
    ),
    move_codes=_numbered(*(s for s in MoveStatus if "SAFETY_FUNCTION" not in s.name)),
    stop_codes=_numbered(*(s for s in StopStatus if "SAFETY_FUNCTION" not in s.name)),
    recovery_codes=_numbered(*(s for s in RecoveryStatus if "SAFETY_FUNCTION" not in s.name)),
    setter_codes=_numbered(*(s for s in SetterStatus if "SAFETY_FUNCTION" not in s.name)),
    replaced_errors=MappingProxyType({}),
)
"""Version 5: Panda (FER), robot system 4.2.1 or newer, libfranka 0.9."""

FR3_PROTOCOL = Protocol(
    version=10,
    number_type="<f4",
    has_accelerometers=True,
    state_size=1377,
    command_size=371,
    move_size=113,
    has_torque_finished=True,
    requests=MappingProxyType(
        dict(
            enumerate(
                request
                for request in Request
                if request
                not in (
                    Request.GET_CARTESIAN_LIMIT,
                    Request.SET_FILTERS,
                    Request.LOAD_MODEL_LIBRARY,
                )
            )
        )
    ),
    move_codes=_numbered(*MoveStatus),
    stop_codes=_numbered(*StopStatus),
    recovery_codes=_numbered(*RecoveryStatus),
    setter_codes=_numbered(*SetterStatus),
    replaced_errors=MappingProxyType(
        {
            ErrorBit.JOINT_MOTION_GENERATOR_POSITION_LIMITS_VIOLATION: (
                ErrorBit.JOINT_POSITION_LIMITS_VIOLATION
            ),
            ErrorBit.CARTESIAN_MOTION_GENERATOR_JOINT_POSITION_LIMITS_VIOLATION: (
                ErrorBit.JOINT_POSITION_LIMITS_VIOLATION
            ),
        }
    ),
)
"""Version 10: FR3, robot system 5.9 or newer, libfranka 0.18 or newer. Since libfranka 0.15 bits
12 and 27 stay clear, and bit 0 stands for both (its changelog)."""
