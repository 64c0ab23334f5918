"""Commands and payloads of requests, built byte by byte."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from skill_robots.control_box.wire.protocol import (
    FER_PROTOCOL,
    FR3_PROTOCOL,
    ControllerMode,
    GeneratorMode,
    Protocol,
)
from skill_robots.control_box.wire.robot_command import (
    Deviation,
    MalformedMessageError,
    parse_collision_behavior,
    parse_command,
    parse_guiding_mode,
    parse_load,
    parse_move,
    parse_numbers,
)


def command(protocol: Protocol, *, finished: int = 0, torque_finished: int = 0) -> bytes:
    """A command whose numbers count from 0: q 0-6, dq 7-13, pose 14-29, twist, elbow, torque."""
    data = struct.pack("<Q38d2B7d", 77, *range(38), 1, finished, *range(38, 45))
    return data + (bytes([torque_finished]) if protocol.has_torque_finished else b"")


@pytest.mark.parametrize(("protocol", "size"), [(FER_PROTOCOL, 370), (FR3_PROTOCOL, 371)])
def test_command_fields(protocol: Protocol, size: int) -> None:
    data = command(protocol)
    assert len(data) == size == protocol.command_size
    parsed = parse_command(data, protocol)
    assert parsed.message_id == 77
    np.testing.assert_array_equal(parsed.q_c, np.arange(7))
    np.testing.assert_array_equal(parsed.dq_c, np.arange(7, 14))
    np.testing.assert_array_equal(parsed.o_t_ee_c, np.arange(14, 30))
    np.testing.assert_array_equal(parsed.o_dp_ee_c, np.arange(30, 36))
    np.testing.assert_array_equal(parsed.elbow_c, [36, 37])
    np.testing.assert_array_equal(parsed.tau_j_d, np.arange(38, 45))
    assert parsed.valid_elbow
    assert not parsed.motion_generation_finished
    assert not parsed.torque_command_finished


def test_finished_flags() -> None:
    assert parse_command(command(FER_PROTOCOL, finished=1), FER_PROTOCOL).motion_generation_finished
    last = parse_command(command(FR3_PROTOCOL, torque_finished=1), FR3_PROTOCOL)
    assert last.torque_command_finished
    assert not last.motion_generation_finished


@pytest.mark.parametrize("size", [0, 1, 369, 371, 65507])
def test_command_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(MalformedMessageError, match=f"370 bytes expected, got {size}"):
        parse_command(bytes(size), FER_PROTOCOL)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308, -1e10])
@pytest.mark.parametrize("offset", [8, 8 + 8 * 37, 8 + 8 * 38 + 2, 8 + 8 * 44 + 2])
def test_command_that_is_not_finite_is_refused(value: float, offset: int) -> None:
    data = bytearray(command(FR3_PROTOCOL))
    struct.pack_into("<d", data, offset, value)
    with pytest.raises(MalformedMessageError, match="not finite"):
        parse_command(bytes(data), FR3_PROTOCOL)


def test_impossible_motions_are_for_the_robot_to_judge() -> None:
    data = struct.pack("<Q38d2B7dB", 1, *(-1e6,) * 38, 0, 0, *(1e6,) * 7, 0)
    assert parse_command(data, FR3_PROTOCOL).q_c[0] == -1e6


def move(controller: int, generator: int, *tail: bytes) -> bytes:
    return struct.pack("<II6d", controller, generator, 10, 3.12, 6.28, 1, 2, 3) + b"".join(tail)


def test_move_of_version_5() -> None:
    request = parse_move(move(0, 2), FER_PROTOCOL)
    assert request.controller_mode == ControllerMode.JOINT_IMPEDANCE
    assert request.generator_mode == GeneratorMode.CARTESIAN_POSITION
    assert request.path_deviation == Deviation(10, 3.12, 6.28)
    assert request.goal_deviation == Deviation(1, 2, 3)
    assert not request.use_async
    assert not request.is_torque_control


def test_move_of_version_10_carries_the_asynchronous_generator() -> None:
    data = move(0, 0, struct.pack("<B7d", 1, *range(1, 8)))
    assert len(data) == 113
    request = parse_move(data, FR3_PROTOCOL)
    assert request.use_async
    assert request.max_velocities == (1, 2, 3, 4, 5, 6, 7)


def test_torque_control_of_both_versions() -> None:
    assert parse_move(move(2, 1), FER_PROTOCOL).is_torque_control
    assert parse_move(move(2, 4, bytes(57)), FR3_PROTOCOL).is_torque_control
    assert not parse_move(move(2, 0), FER_PROTOCOL).is_torque_control


@pytest.mark.parametrize(("controller", "generator"), [(3, 0), (0, 4), (2**32 - 1, 0)])
def test_move_with_an_unknown_mode_is_refused(controller: int, generator: int) -> None:
    with pytest.raises(MalformedMessageError, match="generators 0 to 3"):
        parse_move(move(controller, generator), FER_PROTOCOL)


def test_collision_behavior_order() -> None:
    behavior = parse_collision_behavior(struct.pack("<52d", *range(52)))
    assert behavior.lower_torque_acceleration[0] == 0
    assert behavior.upper_torque_acceleration[0] == 7
    assert behavior.lower_torque_nominal[0] == 14
    assert behavior.upper_torque_nominal[0] == 21
    assert behavior.lower_force_acceleration[0] == 28
    assert behavior.upper_force_acceleration[0] == 34
    assert behavior.lower_force_nominal[0] == 40
    assert behavior.upper_force_nominal[0] == 46
    assert behavior.upper_force_nominal.shape == (6,)


def test_load_and_guiding_mode() -> None:
    load = parse_load(struct.pack("<13d", *range(13)))
    assert load.mass == 0
    np.testing.assert_array_equal(load.centre_of_mass, [1, 2, 3])
    np.testing.assert_array_equal(load.inertia, np.arange(4, 13))
    assert parse_guiding_mode(bytes([1, 0, 0, 1, 0, 0, 1])) == (
        (True, False, False, True, False, False),
        True,
    )


def test_payload_of_another_size_or_not_finite_is_refused() -> None:
    with pytest.raises(MalformedMessageError, match="56 bytes expected, got 48"):
        parse_numbers(bytes(48), 7, "SetJointImpedance")
    with pytest.raises(MalformedMessageError, match="SetJointImpedance has a number"):
        parse_numbers(struct.pack("<7d", *(np.nan,) * 7), 7, "SetJointImpedance")
