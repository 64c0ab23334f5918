"""One motion of a test: started, answered state by state, finished, and recorded."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.wire.protocol import (
    ControllerMode,
    GeneratorMode,
    MoveStatus,
    Protocol,
    Request,
)
from skill_runtime.doctor.control_box.client import ControlBoxError, request_id
from skill_runtime.doctor.control_box.received_state import (
    Glimpse,
    ReceivedState,
    decode,
    message_id,
)
from skill_runtime.doctor.control_box.resting_tests import percentiles_ms, status_names
from skill_runtime.doctor.control_box.robot_test import Answer, Bench

MAX_DRIFT_RAD = 0.05
"""A joint that moves farther than this ends the motion [rad]."""

START_S = 2.0
"""Longest wait for the first state of a motion [s]."""

END_S = 5.0
"""Longest wait for the final reply of a motion [s]."""

DEVIATIONS = (10.0, 3.12, 2.0 * np.pi) * 2
"""Path and goal deviations that libfranka sends: translation [m], rotation [rad], elbow [rad]."""

_MESSAGE_ID = struct.Struct("<Q")
_COMMAND = struct.Struct("<Q38d2B7d")
_MODES = struct.Struct("<II6d")


class Command(NamedTuple):
    """Answer to one state."""

    position: Array
    """``(7,)`` [rad]; used by joint position generators."""
    torque: Array
    """``(7,)`` [N m]; used by torque control."""


Answering = Callable[[int], Command | None]
"""Returns the answer to the k-th state of a motion; None leaves it without an answer."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """A motion that ends after a number of states."""

    torque: bool
    """Torque control; otherwise a joint position generator with the robot's own impedance."""
    states: int
    """Length [ms of robot time]."""
    answering: Callable[[ReceivedState], Answering]
    """Makes the answers from the first state of the motion."""


@dataclass(kw_only=True)
class _Log:
    """Record of a running motion."""

    names: dict[int, str]
    statuses: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Replies to Move, with the number of states before them."""
    rates: list[float] = field(default_factory=list[float])
    late_s: list[float] = field(default_factory=list[float])
    """From the arrival of a state at this computer to its answer."""
    drift: float = 0.0
    reflex: ReceivedState | None = None
    reflex_after: int | None = None


def run_motion(bench: Bench, motion: Motion) -> Answer:
    """Runs one motion and returns its record.

    Raises:
        ControlBoxError: the robot is not idle, or does not answer.
    """
    first = idle_state(bench)
    protocol, client = bench.protocol, bench.client
    number = client.send(
        request_id(protocol, Request.MOVE), move_payload(protocol, torque=motion.torque)
    )
    began = time.monotonic()
    log = _Log(names=status_names(protocol.move_codes))
    state = _first_moving_state(bench, number, log, began)
    if state is None:
        return _record(log, first, None)
    start_s = time.monotonic() - began
    _answer_states(bench, motion, number, log, state)
    finished = time.monotonic()
    _await_end(bench, motion, number, log)
    return {
        "started_after_s": round(start_s, 4),
        "ended_after_s": round(time.monotonic() - finished, 4),
        **_record(log, first, decode(client.receive(), protocol)),
    }


def idle_state(bench: Bench) -> ReceivedState:
    """Returns the present state of an idle robot.

    Raises:
        ControlBoxError: the robot is not idle.
    """
    bench.client.discard()
    state = decode(bench.client.receive(), bench.protocol)
    if state.robot_mode != "idle" or state.errors:
        raise ControlBoxError(
            f"the robot is in the mode {state.robot_mode} with errors {list(state.errors)}, "
            "expected idle: open the brakes, release the user stop, clear errors in Desk"
        )
    return state


def _first_moving_state(bench: Bench, number: int, log: _Log, began: float) -> ReceivedState | None:
    """Waits until a state is of the motion; returns None if the robot refuses it."""
    while time.monotonic() < began + START_S:
        state = decode(bench.client.newest(), bench.protocol)
        _note_reply(bench, number, log, 0)
        if log.statuses and log.statuses[-1][0] != MoveStatus.MOTION_STARTED.name.lower():
            return None
        if state.robot_mode == "move":
            return state
    raise ControlBoxError(f"no motion began within {START_S:g} s")


def _answer_states(
    bench: Bench, motion: Motion, number: int, log: _Log, state: ReceivedState
) -> None:
    """Answers states until the motion has its length or the robot ends it."""
    client, protocol, glimpse = bench.client, bench.protocol, Glimpse(bench.protocol)
    start, answer = state.numbers["q"], motion.answering(state)
    packed, datagram = _Packed(protocol), client.newest()
    for k in range(motion.states):
        command = answer(k)
        if command is not None:
            client.command(packed.answer(message_id(datagram), command))
            log.late_s.append(time.time() - client.arrived_s)
        datagram = client.newest()
        now = glimpse.read(datagram)
        if not now.moves:
            log.reflex, log.reflex_after = decode(datagram, protocol), k + 1
            return
        log.rates.append(now.success_rate)
        log.drift = max(log.drift, float(np.abs(now.position - start).max()))
        if log.drift > MAX_DRIFT_RAD:
            return
        if k % 50 == 0:
            _note_reply(bench, number, log, k)


class _Packed:
    """Commands as datagrams. A command that repeats is packed once."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._last: Command | None = None
        self._data = bytearray()

    def answer(self, answered: int, command: Command) -> bytes:
        """Returns the datagram of a command that answers a state."""
        if command is not self._last:
            self._last = command
            self._data = bytearray(pack_command(self._protocol, answered, command))
        _MESSAGE_ID.pack_into(self._data, 0, answered)
        return bytes(self._data)


def _await_end(bench: Bench, motion: Motion, number: int, log: _Log) -> None:
    """Ends the motion and waits for its last reply."""
    end = time.monotonic() + END_S
    started = MoveStatus.MOTION_STARTED.name.lower()
    while time.monotonic() < end:
        datagram = bench.client.newest()
        state = decode(datagram, bench.protocol)
        if state.robot_mode == "move":
            hold = Command(state.numbers["q_d"], np.zeros(7))
            finish = pack_command(
                bench.protocol, message_id(datagram), hold, finish=True, torque=motion.torque
            )
            bench.client.command(finish)
        _note_reply(bench, number, log, motion.states)
        if log.statuses and log.statuses[-1][0] != started:
            return
    raise ControlBoxError(f"the motion did not end within {END_S:g} s")


def _note_reply(bench: Bench, number: int, log: _Log, after: int) -> None:
    body = bench.client.replied(number)
    if body is not None:
        code = body[0] if body else -1
        log.statuses.append((log.names.get(code, str(code)), after))


def _record(log: _Log, first: ReceivedState, last: ReceivedState | None) -> dict[str, object]:
    reflex = log.reflex
    return {
        "move_statuses": [status for status, _ in log.statuses],
        "answered": len(log.late_s),
        "answer_ms": percentiles_ms(log.late_s) if log.late_s else None,
        "success_rate": {"least": round(min(log.rates), 4), "last": round(log.rates[-1], 4)}
        if log.rates
        else None,
        "largest_joint_motion_rad": float(f"{log.drift:.4g}"),
        "ended_by_the_robot_after_states": log.reflex_after,
        "mode_then": None if reflex is None else reflex.robot_mode,
        "errors": [] if reflex is None else list(reflex.errors),
        "reflex_reason": [] if reflex is None else list(reflex.reflex_reason),
        "mode_at_the_end": None if last is None else last.robot_mode,
        "motion_after_the_end_rad": None
        if last is None
        else float(f"{np.abs(last.numbers['q'] - first.numbers['q']).max():.4g}"),
    }


def move_payload(protocol: Protocol, *, torque: bool) -> bytes:
    """Returns the payload of Move: torque control, or a joint position generator."""
    if torque:
        controller = ControllerMode.EXTERNAL
        # Before version 7 a client that commands torques asks for joint velocity.
        generator = (
            GeneratorMode.NONE if protocol.has_torque_finished else GeneratorMode.JOINT_VELOCITY
        )
    else:
        controller, generator = ControllerMode.JOINT_IMPEDANCE, GeneratorMode.JOINT_POSITION
    payload = _MODES.pack(controller, generator - 1, *DEVIATIONS)
    return payload.ljust(protocol.move_size, b"\0")


def pack_command(
    protocol: Protocol,
    answered: int,
    command: Command,
    *,
    finish: bool = False,
    torque: bool = False,
) -> bytes:
    """Returns a RobotCommand.

    Args:
        protocol: version of the robot.
        answered: number of the state that it answers.
        command: joint position and torque.
        finish: ends the motion.
        torque: whether the motion to end is torque control.
    """
    ends_torque = finish and torque and protocol.has_torque_finished
    motion = [*command.position.tolist(), *(0.0,) * 31]
    data = _COMMAND.pack(answered, *motion, 0, finish and not ends_torque, *command.torque.tolist())
    return data + bytes((ends_torque,)) if protocol.has_torque_finished else data
