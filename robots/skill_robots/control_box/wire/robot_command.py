"""The command that answers a state, and the payloads of the robot's requests."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.wire.protocol import ControllerMode, GeneratorMode, Protocol

MAX_SUM = 1e9
"""Bound on the sum of the magnitudes of a command's numbers in SI units. Larger numbers are no
motion of a robot, and would overflow in later computations."""

_MESSAGE_ID = struct.Struct("<Q")
_MOTION_FLAGS = 8 + 8 * 38
"""Offset of ``valid_elbow``: after the message id and q 7, dq 7, pose 16, twist 6, elbow 2."""
_TORQUE = _MOTION_FLAGS + 2
_TORQUE_FINISHED = _TORQUE + 8 * 7
_DEVIATIONS = 8
_ASYNC = _DEVIATIONS + 8 * 6


class MalformedMessageError(ValueError):
    """A message has a size or a value that its protocol does not allow."""


class RobotCommand(NamedTuple):
    """One command of a client. Arrays are views of the datagram; unused fields are zero."""

    message_id: int
    """``message_id`` of the state that the command answers."""
    q_c: Array
    """``(7,)`` joint position [rad]."""
    dq_c: Array
    """``(7,)`` joint velocity [rad/s]."""
    o_t_ee_c: Array
    """``(16,)`` pose of EE in O, column-major."""
    o_dp_ee_c: Array
    """``(6,)`` twist of EE in O [m/s, rad/s]."""
    elbow_c: Array
    """``(2,)`` position of joint 3 [rad] and the sign of joint 4."""
    valid_elbow: bool
    """Whether ``elbow_c`` is commanded."""
    motion_generation_finished: bool
    """Whether the client ends the motion."""
    tau_j_d: Array
    """``(7,)`` torque without gravity and friction [N m]."""
    torque_command_finished: bool
    """Whether the client ends torque control; always False in version 5."""


def parse_command(data: bytes, protocol: Protocol) -> RobotCommand:
    """Returns the command in a datagram.

    Raises:
        MalformedMessageError: the size is wrong, or a number is not finite or huge. libfranka
            refuses numbers that are not finite before it sends them, so the reaction of a real
            robot to them is unknown; here such a command counts as lost.
    """
    if len(data) != protocol.command_size:
        raise MalformedMessageError(
            f"a command of {protocol.command_size} bytes expected, got {len(data)}"
        )
    motion = np.frombuffer(data, "<f8", 38, 8)
    torque = np.frombuffer(data, "<f8", 7, _TORQUE)
    # The comparison is false for NaN, too.
    if not sum(map(abs, motion.tolist())) + sum(map(abs, torque.tolist())) < MAX_SUM:
        raise MalformedMessageError(
            "a command has a number that is not finite, or that no quantity of a robot has"
        )
    return RobotCommand(
        message_id=_MESSAGE_ID.unpack_from(data)[0],
        q_c=motion[0:7],
        dq_c=motion[7:14],
        o_t_ee_c=motion[14:30],
        o_dp_ee_c=motion[30:36],
        elbow_c=motion[36:38],
        valid_elbow=bool(data[_MOTION_FLAGS]),
        motion_generation_finished=bool(data[_MOTION_FLAGS + 1]),
        tau_j_d=torque,
        torque_command_finished=protocol.has_torque_finished and bool(data[_TORQUE_FINISHED]),
    )


class Deviation(NamedTuple):
    """Bounds on the distance between commanded and desired pose."""

    translation: float
    """[m]."""
    rotation: float
    """[rad]."""
    elbow: float
    """[rad]."""


@dataclass(frozen=True, kw_only=True)
class MoveRequest:
    """A request to start a motion."""

    controller_mode: ControllerMode
    generator_mode: GeneratorMode
    path_deviation: Deviation
    goal_deviation: Deviation
    use_async: bool = False
    """Asynchronous joint position: the robot interpolates between rare targets. Version 10 only."""
    max_velocities: tuple[float, ...] = (0.0,) * 7
    """Velocity limits of the asynchronous generator [rad/s]."""

    @property
    def is_torque_control(self) -> bool:
        """Whether the client commands torques and no motion.

        libfranka up to 0.17 then asks for joint velocity and sends zeros in ``dq_c``, so with an
        external controller version 5 cannot distinguish torque control from a joint velocity
        generator beside it.
        """
        return self.controller_mode == ControllerMode.EXTERNAL and (
            self.generator_mode in (GeneratorMode.NONE, GeneratorMode.JOINT_VELOCITY)
        )


def parse_move(data: bytes, protocol: Protocol) -> MoveRequest:
    """Returns a Move request.

    Raises:
        MalformedMessageError: the size is wrong, a mode is unknown, or a number is not finite.
    """
    _check_size(data, protocol.move_size, "Move")
    controller, generator = struct.unpack_from("<II", data)
    last_generator = GeneratorMode.NONE if protocol.has_torque_finished else GeneratorMode.NONE - 1
    if controller > ControllerMode.EXTERNAL or generator + 1 > last_generator:
        raise MalformedMessageError(
            f"Move asks for controller {controller} and generator {generator}; version "
            f"{protocol.version} has controllers 0 to 2 and generators 0 to {last_generator - 1}"
        )
    deviations = tuple(_numbers(data, 6, _DEVIATIONS, "Move").tolist())
    use_async, max_velocities = False, (0.0,) * 7
    if len(data) > _ASYNC:
        use_async = bool(data[_ASYNC])
        max_velocities = tuple(_numbers(data, 7, _ASYNC + 1, "Move").tolist())
    return MoveRequest(
        controller_mode=ControllerMode(controller),
        generator_mode=GeneratorMode(generator + 1),
        path_deviation=Deviation(*deviations[:3]),
        goal_deviation=Deviation(*deviations[3:]),
        use_async=use_async,
        max_velocities=max_velocities,
    )


@dataclass(frozen=True, kw_only=True)
class CollisionBehavior:
    """Thresholds of contact (lower) and collision (upper) detection.

    Torques ``(7,)`` [N m] per joint, forces ``(6,)`` [N, N m] in K, each while the desired motion
    accelerates and otherwise (nominal).
    """

    lower_torque_acceleration: Array
    upper_torque_acceleration: Array
    lower_torque_nominal: Array
    upper_torque_nominal: Array
    lower_force_acceleration: Array
    upper_force_acceleration: Array
    lower_force_nominal: Array
    upper_force_nominal: Array


def parse_collision_behavior(data: bytes) -> CollisionBehavior:
    """Returns the payload of SetCollisionBehavior.

    Raises:
        MalformedMessageError: the size is wrong, or a number is not finite.
    """
    torque = parse_numbers(data, 4 * 7 + 4 * 6, "SetCollisionBehavior")
    force = torque[28:]
    return CollisionBehavior(
        lower_torque_acceleration=torque[0:7],
        upper_torque_acceleration=torque[7:14],
        lower_torque_nominal=torque[14:21],
        upper_torque_nominal=torque[21:28],
        lower_force_acceleration=force[0:6],
        upper_force_acceleration=force[6:12],
        lower_force_nominal=force[12:18],
        upper_force_nominal=force[18:24],
    )


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load at the flange."""

    mass: float
    """[kg]."""
    centre_of_mass: Array
    """``(3,)`` in F [m]."""
    inertia: Array
    """``(9,)`` about the centre of mass, in F, column-major [kg m^2]."""


def parse_load(data: bytes) -> Load:
    """Returns the payload of SetLoad.

    Raises:
        MalformedMessageError: the size is wrong, or a number is not finite.
    """
    numbers = parse_numbers(data, 13, "SetLoad")
    return Load(mass=float(numbers[0]), centre_of_mass=numbers[1:4], inertia=numbers[4:13])


def parse_guiding_mode(data: bytes) -> tuple[tuple[bool, ...], bool]:
    """Returns the payload of SetGuidingMode: six free directions, and the null space.

    Raises:
        MalformedMessageError: the size is wrong.
    """
    _check_size(data, 7, "SetGuidingMode")
    return tuple(map(bool, data[:6])), bool(data[6])


def parse_numbers(data: bytes, count: int, name: str) -> Array:
    """Returns a payload of ``count`` numbers: impedances, frames (column-major), filters.

    Raises:
        MalformedMessageError: the size is wrong, or a number is not finite.
    """
    _check_size(data, 8 * count, name)
    return _numbers(data, count, 0, name)


def _numbers(data: bytes, count: int, offset: int, name: str) -> Array:
    numbers = np.frombuffer(data, "<f8", count, offset)
    if not np.isfinite(numbers).all():
        raise MalformedMessageError(f"{name} has a number that is not finite")
    return numbers


def _check_size(data: bytes, size: int, name: str) -> None:
    if len(data) != size:
        raise MalformedMessageError(f"{name}: payload of {size} bytes expected, got {len(data)}")
