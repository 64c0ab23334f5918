"""The state datagram: sizes and offsets are those of libfranka-common's packed structures."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from skill_robots.control_box.wire.protocol import (
    FER_PROTOCOL,
    FR3_PROTOCOL,
    ControllerMode,
    ErrorBit,
    GeneratorMode,
    Protocol,
)
from skill_robots.control_box.wire.robot_state import ACCELEROMETERS, FIELDS, RobotState
from skill_robots.franka.robot_mode import RobotMode

OFFSETS = {
    "o_t_ee": (8, 8),
    "o_t_ee_d": (136, 72),
    "f_t_ee": (264, 136),
    "ee_t_k": (392, 200),
    "f_t_ne": (520, 264),
    "ne_t_ee": (648, 328),
    "m_ee": (776, 392),
    "i_ee": (784, 396),
    "f_x_cee": (856, 432),
    "m_load": (880, 444),
    "i_load": (888, 448),
    "f_x_cload": (960, 484),
    "elbow": (984, 496),
    "elbow_d": (1000, 504),
    "tau_j": (1016, 512),
    "tau_j_d": (1072, 540),
    "dtau_j": (1128, 568),
    "q": (1184, 596),
    "q_d": (1240, 624),
    "dq": (1296, 652),
    "dq_d": (1352, 680),
    "ddq_d": (1408, 708),
    "joint_contact": (1464, 736),
    "cartesian_contact": (1520, 764),
    "joint_collision": (1568, 788),
    "cartesian_collision": (1624, 816),
    "tau_ext_hat_filtered": (1672, 840),
    "o_f_ext_hat_k": (1728, 868),
    "k_f_ext_hat_k": (1776, 892),
    "o_dp_ee_d": (1824, 916),
    "o_ddp_o": (1872, 940),
    "elbow_c": (1896, 952),
    "delbow_c": (1912, 960),
    "ddelbow_c": (1928, 968),
    "o_t_ee_c": (1944, 976),
    "o_dp_ee_c": (2072, 1040),
    "o_ddp_ee_c": (2120, 1064),
    "theta": (2168, 1088),
    "dtheta": (2224, 1116),
}
"""First byte of each number in versions 5 and 10."""


def test_every_field_is_in_the_table() -> None:
    assert [name for name, _ in FIELDS] == list(OFFSETS)


@pytest.mark.parametrize(("protocol", "size"), [(FER_PROTOCOL, 2373), (FR3_PROTOCOL, 1377)])
def test_size_of_the_datagram(protocol: Protocol, size: int) -> None:
    assert len(RobotState(protocol).pack()) == size


@pytest.mark.parametrize(
    ("protocol", "column", "number"), [(FER_PROTOCOL, 0, "<f8"), (FR3_PROTOCOL, 1, "<f4")]
)
def test_numbers_are_at_their_offsets(protocol: Protocol, column: int, number: str) -> None:
    for name, size in FIELDS:
        state = RobotState(protocol)
        values = np.arange(1.0, size + 1) / 4
        getattr(state, name)[:] = values
        data = state.pack()
        sent = np.frombuffer(data, number, size, OFFSETS[name][column])
        np.testing.assert_array_equal(sent, values)
        state_of_zeros = np.frombuffer(RobotState(protocol).pack(), np.uint8)
        changed = np.flatnonzero(np.frombuffer(data, np.uint8) != state_of_zeros)
        first = OFFSETS[name][column]
        assert first <= changed.min()
        assert changed.max() < first + size * np.dtype(number).itemsize


def test_accelerometers_are_sent_by_version_10_only() -> None:
    state = RobotState(FR3_PROTOCOL)
    state.accelerometer_top[:] = 1.5
    state.accelerometer_bottom[:] = 2.5
    data = state.pack()
    assert np.all(np.frombuffer(data, "<f4", 18, 1144) == 1.5)
    assert np.all(np.frombuffer(data, "<f4", 18, 1216) == 2.5)
    state = RobotState(FER_PROTOCOL)
    before = bytes(state.pack())
    for name, _ in ACCELEROMETERS:
        getattr(state, name)[:] = 1.0
    assert bytes(state.pack()) == before


@pytest.mark.parametrize(
    ("protocol", "flags", "rate"), [(FER_PROTOCOL, 2280, "<d"), (FR3_PROTOCOL, 1288, "<f")]
)
def test_modes_errors_and_rate(protocol: Protocol, flags: int, rate: str) -> None:
    state = RobotState(protocol)
    assert bytes(state.pack()[flags : flags + 2]) == bytes([0, 3])
    assert state.pack()[flags + 84] == 1

    state.message_id = 2**40 + 3
    state.motion_generator_mode = GeneratorMode.CARTESIAN_VELOCITY
    state.controller_mode = ControllerMode.CARTESIAN_IMPEDANCE
    state.robot_mode = RobotMode.REFLEX
    state.errors = 1 << ErrorBit.JOINT_REFLEX | 1 << ErrorBit.CARTESIAN_REFLEX
    state.reflex_reason = 1 << ErrorBit.BASE_ACCELERATION_INVALID_READING
    state.control_command_success_rate = 0.75
    data = state.pack()
    assert struct.unpack_from("<Q", data) == (2**40 + 3,)
    assert bytes(data[flags : flags + 2]) == bytes([4, 1])
    assert [i for i in range(41) if data[flags + 2 + i]] == [6, 7]
    assert [i for i in range(41) if data[flags + 43 + i]] == [40]
    assert data[flags + 84] == 4
    assert struct.unpack_from(rate, data, flags + 85) == (0.75,)

    state.errors = 0
    assert not any(state.pack()[flags + 2 : flags + 43])


def test_a_second_datagram_replaces_the_first_without_a_copy() -> None:
    state = RobotState(FR3_PROTOCOL)
    first = state.pack()
    state.q[0] = 0.5
    assert np.frombuffer(first, "<f4", 1, 596)[0] == 0.0
    assert state.pack() is first
    assert np.frombuffer(first, "<f4", 1, 596)[0] == 0.5
