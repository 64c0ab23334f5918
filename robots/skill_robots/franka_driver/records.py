"""The memory that arm, driver and hand share: one record for each direction, and single words.

=================  ==========  =======================================================
part               writer      content
=================  ==========  =======================================================
``reference``      arm         the newest set-point
``state``          driver      the newest state of the robot, once a millisecond
``report``         driver      why the start failed, or remarks on it
``stop``           driver      why the robot was stopped last
``hand_goal``      arm         the newest goal of the gripper
``hand_state``     hand        the newest state of the gripper
``hand_report``    hand        why its start failed, or its newest complaint
``words``          see Word    single numbers
=================  ==========  =======================================================

Times are those of the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import json
import time
from enum import IntEnum
from struct import Struct
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_proto.shared_memory.seqlock import HEADER_BYTES, Seqlock

DOF = 7

_NUMBER = 8
_REFERENCE = Struct("<Qd")
_REFERENCE_BYTES = _REFERENCE.size + 3 * DOF * _NUMBER
_STATE = Struct("<QdBBB5xQIIdd")
_STATE_BYTES = _STATE.size + 4 * DOF * _NUMBER
_HAND_GOAL = Struct("<QdB")
_HAND_STATE = Struct("<dddBB")

TEXT_BYTES = 4096
"""Longest text [bytes of UTF-8]; a longer one is cut."""


class Word(IntEnum):
    """Index of each single word."""

    DRIVER_STATUS = 0
    """A :class:`Status`; set by the driver."""
    HAND_STATUS = 1
    """A :class:`Status`; set by the hand."""
    ENDING = 2
    """Not 0 once driver and hand are to end; set by the arm."""
    RECOVERY_ASKED = 3
    """Number of recoveries asked for; set by the arm."""
    RECOVERY_DONE = 4
    """Number of the newest recovery that has ended, well or not; set by the driver."""


class Status(IntEnum):
    """Progress of a process."""

    STARTING = 0
    READY = 1
    FAILED = 2
    """Its report says why."""


class Phase(IntEnum):
    """Source of the reference that the driver feeds to the impedance law."""

    STOPPED = 0
    """The law does not run."""
    HOLDING = 1
    """A fixed position."""
    FOLLOWING = 2
    """Set-points."""
    BRAKING = 3
    """A braking trajectory, because set-points failed to come."""


class StopClass(IntEnum):
    """Class of the newest stop of the robot."""

    NOT_STOPPED = 0
    CONTACT = 1
    COMMUNICATION = 2
    OTHER = 3


class Reference(NamedTuple):
    """One set-point."""

    number: int
    """Consecutive, from 1."""
    time_s: float
    """When it was commanded."""
    position: Array
    """``(7,)`` [rad]."""
    velocity: Array
    """``(7,)`` [rad/s]."""
    acceleration: Array
    """``(7,)`` [rad/s^2]."""


class DriverState(NamedTuple):
    """The newest state of the robot and of its driver."""

    robot_ms: int
    """The robot's own time [ms]."""
    received_s: float
    """When the driver found this state."""
    mode: int
    """The robot's mode."""
    phase: int
    """A :class:`Phase`."""
    stop: int
    """A :class:`StopClass`."""
    accepted: int
    """Number of the newest set-point that the driver follows."""
    late_setpoints: int
    """Times that the driver braked because set-points failed to come."""
    stops: int
    """Times that the robot stopped by itself."""
    success_rate: float
    """Share of the last 100 commands that the robot received; 0 outside of a motion."""
    lateness_s: float
    """Longest delay of a cycle in the last second."""
    position: Array
    """Measured, ``(7,)`` [rad]."""
    velocity: Array
    """Measured, ``(7,)`` [rad/s]."""
    reference_position: Array
    """Fed to the impedance law, ``(7,)`` [rad]."""
    reference_velocity: Array
    """Fed to the impedance law, ``(7,)`` [rad/s]."""


class HandGoal(NamedTuple):
    """One goal of the gripper."""

    number: int
    """Consecutive, from 1."""
    width_m: float
    is_grasp: bool
    """Close and hold by force, whatever the width."""


class HandState(NamedTuple):
    """The newest state of the gripper."""

    width_m: float
    max_width_m: float
    """0 before the gripper was homed."""
    received_s: float
    is_grasped: bool
    """Whether the gripper holds an object."""
    is_moving: bool
    """Whether a goal is in work."""


class SharedRecords:
    """The parts of the shared memory.

    Args:
        memory: :data:`BYTES` of memory, zero at the start.
    """

    def __init__(self, memory: memoryview) -> None:
        self.words = memory[: 8 * _WORDS].cast("Q")
        parts = [Seqlock(memory[start:end]) for start, end in _PLACES]
        self._reference, self._state, self._hand_goal, self._hand_state, *texts = parts
        self.report, self.stop, self.hand_report = (TextRecord(part) for part in texts)

    # Arm to driver ------------------------------------------------------------------------------

    def write_reference(self, reference: Reference) -> None:
        """Replaces the newest set-point."""
        head, joints = _REFERENCE.pack(*reference[:2]), reference[2:]
        self._reference.write(b"".join((head, *(_bytes_of(vector) for vector in joints))))

    @property
    def reference_version(self) -> int:
        """Changes with every set-point."""
        return self._reference.version

    def read_reference(self) -> Reference | None:
        """Returns the newest set-point; None before the first, or if it is being written."""
        record = self._reference.read()
        if record is None:
            return None
        number, time_s = _REFERENCE.unpack_from(record)
        position, velocity, acceleration = _vectors(record, _REFERENCE.size)
        return Reference(number, time_s, position, velocity, acceleration)

    # Driver to arm ------------------------------------------------------------------------------

    def write_state(self, state: DriverState) -> None:
        """Replaces the newest state."""
        head, joints = _STATE.pack(*state[:10]), state[10:]
        self._state.write(b"".join((head, *(_bytes_of(vector) for vector in joints))))

    def read_state(self) -> DriverState | None:
        """Returns the newest state; None before the first, or if it is being written."""
        record = self._state.read()
        if record is None:
            return None
        head = _STATE.unpack_from(record)
        return DriverState._make((*head, *_vectors(record, _STATE.size)))

    # The gripper --------------------------------------------------------------------------------

    def write_hand_goal(self, goal: HandGoal) -> None:
        """Replaces the newest goal of the gripper."""
        self._hand_goal.write(_HAND_GOAL.pack(*goal))

    def read_hand_goal(self) -> HandGoal | None:
        """Returns the newest goal; None before the first, or if it is being written."""
        record = self._hand_goal.read()
        if record is None:
            return None
        number, width, is_grasp = _HAND_GOAL.unpack(record)
        return HandGoal(number, width, bool(is_grasp))

    @property
    def hand_state_version(self) -> int:
        """Changes with every state of the gripper."""
        return self._hand_state.version

    def write_hand_state(self, state: HandState) -> None:
        """Replaces the newest state of the gripper."""
        self._hand_state.write(_HAND_STATE.pack(*state))

    def read_hand_state(self) -> HandState | None:
        """Returns the newest state; None before the first, or if it is being written."""
        record = self._hand_state.read()
        if record is None:
            return None
        width, max_width, received, is_grasped, is_moving = _HAND_STATE.unpack(record)
        return HandState(width, max_width, received, bool(is_grasped), bool(is_moving))


class TextRecord:
    """The newest list of texts of one writer.

    Args:
        lock: Memory of the list.
    """

    def __init__(self, lock: Seqlock) -> None:
        self._lock = lock
        self._known: tuple[int, tuple[str, ...]] = (0, ())

    def write(self, *texts: str) -> None:
        """Replaces the list; its last texts are dropped if it is too long."""
        kept = list(texts)
        while len(encoded := json.dumps(kept).encode()) > TEXT_BYTES:
            kept = [*kept[:-1], kept[-1][: len(kept[-1]) // 2]] if len(kept[-1]) > 1 else kept[:-1]
        self._lock.write(encoded)

    def read(self) -> tuple[str, ...]:
        """Returns the list; an empty one before the first."""
        version = self._lock.version
        if version != self._known[0] and (record := self._lock.read()) is not None:
            self._known = version, tuple(json.loads(record))
        return self._known[1]


def _places(*sizes: int) -> tuple[list[tuple[int, int]], int]:
    """Returns start and end of each record behind the words, and the end of the last one."""
    places: list[tuple[int, int]] = []
    start = 8 * _WORDS
    for size in sizes:
        end = start + -(-(HEADER_BYTES + size) // 64) * 64
        places.append((start, end))
        start = end
    return places, start


def _bytes_of(vector: Array) -> bytes:
    """Returns the numbers of a vector ``(7,)``."""
    return np.asarray(vector, np.float64).tobytes()


def _vectors(record: bytes, offset: int) -> list[Array]:
    """Returns the vectors ``(7,)`` from an offset of a record to its end; views, read-only."""
    numbers = np.frombuffer(record, np.float64, -1, offset)
    return [numbers[start : start + DOF] for start in range(0, len(numbers), DOF)]


def now() -> float:
    """Returns the time of the shared clock [s]."""
    return time.monotonic()


_WORDS = 16
_PLACES, BYTES = _places(
    _REFERENCE_BYTES, _STATE_BYTES, _HAND_GOAL.size, _HAND_STATE.size, *(TEXT_BYTES,) * 3
)
