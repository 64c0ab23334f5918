"""States that the control box packs come back as they were."""

from __future__ import annotations

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
from skill_runtime.doctor.control_box.client import ControlBoxError
from skill_runtime.doctor.control_box.received_state import Glimpse, decode, message_id


@pytest.fixture(params=[FER_PROTOCOL, FR3_PROTOCOL], ids=["fer", "fr3"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    return request.param


@pytest.fixture
def state(protocol: Protocol) -> RobotState:
    state = RobotState(protocol)
    rng = np.random.default_rng(2)
    for name, size in FIELDS + ACCELEROMETERS:
        getattr(state, name)[:] = rng.normal(size=size).astype(np.float32)
    state.message_id = 2**40 + 7
    state.robot_mode = RobotMode.MOVE
    state.motion_generator_mode = GeneratorMode.CARTESIAN_POSITION
    state.controller_mode = ControllerMode.EXTERNAL
    state.errors = 1 << ErrorBit.JOINT_REFLEX | 1 << ErrorBit.BASE_ACCELERATION_INVALID_READING
    state.reflex_reason = 1 << ErrorBit.JOINT_POSITION_LIMITS_VIOLATION
    state.control_command_success_rate = 0.5
    return state


def test_every_field_comes_back(protocol: Protocol, state: RobotState) -> None:
    datagram = bytes(state.pack())
    found = decode(datagram, protocol)
    assert found.message_id == message_id(datagram) == 2**40 + 7
    for name, _ in FIELDS + (ACCELEROMETERS if protocol.has_accelerometers else ()):
        np.testing.assert_array_equal(found.numbers[name], getattr(state, name))
    assert found.robot_mode == "move"
    assert found.motion_generator_mode == "cartesian_position"
    assert found.controller_mode == "external"
    assert found.errors == ("joint_reflex", "base_acceleration_invalid_reading")
    assert found.reflex_reason == ("joint_position_limits_violation",)
    assert found.control_command_success_rate == 0.5


def test_a_glimpse_is_a_part_of_the_state(protocol: Protocol, state: RobotState) -> None:
    glimpse = Glimpse(protocol)
    found = glimpse.read(bytes(state.pack()))
    assert found.moves
    assert found.success_rate == 0.5
    np.testing.assert_array_equal(found.position, state.q)
    state.robot_mode = RobotMode.REFLEX
    assert not glimpse.read(bytes(state.pack())).moves


def test_an_unknown_mode_is_a_number(protocol: Protocol, state: RobotState) -> None:
    datagram = bytearray(state.pack())
    datagram[datagram.rindex(RobotMode.MOVE, 0, -4)] = 99
    assert decode(bytes(datagram), protocol).robot_mode == "99"


def test_another_size_is_an_error_with_both_sizes(protocol: Protocol, state: RobotState) -> None:
    datagram = bytes(state.pack())
    for damaged in (datagram[:-1], datagram + b"\0", b""):
        for read in (lambda data: decode(data, protocol), Glimpse(protocol).read):
            with pytest.raises(ControlBoxError, match=f"sent {len(damaged)}"):
                read(damaged)
