"""Messages of a motion, as the control box reads them."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.control_box.wire.protocol import (
    FER_PROTOCOL,
    FR3_PROTOCOL,
    ControllerMode,
    GeneratorMode,
    Protocol,
)
from skill_robots.control_box.wire.robot_command import parse_command, parse_move
from skill_runtime.doctor.control_box.motion import Command, move_payload, pack_command

COMMAND = Command(np.arange(7.0), np.arange(7.0, 14.0))
PROTOCOLS = pytest.mark.parametrize("protocol", [FER_PROTOCOL, FR3_PROTOCOL], ids=["fer", "fr3"])


@PROTOCOLS
def test_a_command_has_position_and_torque(protocol: Protocol) -> None:
    command = parse_command(pack_command(protocol, 2**40, COMMAND), protocol)
    assert command.message_id == 2**40
    assert command.q_c.tolist() == list(range(7))
    assert command.tau_j_d.tolist() == list(range(7, 14))
    assert not command.dq_c.any()
    assert not command.motion_generation_finished
    assert not command.torque_command_finished


@PROTOCOLS
@pytest.mark.parametrize("torque", [False, True])
def test_the_last_command_ends_the_half_that_runs(protocol: Protocol, torque: bool) -> None:
    data = pack_command(protocol, 1, COMMAND, finish=True, torque=torque)
    command = parse_command(data, protocol)
    ends_torque = torque and protocol.has_torque_finished
    assert command.torque_command_finished is ends_torque
    assert command.motion_generation_finished is not ends_torque


@PROTOCOLS
def test_a_motion_has_the_modes_of_libfranka(protocol: Protocol) -> None:
    hold = parse_move(move_payload(protocol, torque=False), protocol)
    assert hold.controller_mode is ControllerMode.JOINT_IMPEDANCE
    assert hold.generator_mode is GeneratorMode.JOINT_POSITION
    assert hold.goal_deviation == (10.0, 3.12, pytest.approx(6.2832, abs=1e-4))
    torque = parse_move(move_payload(protocol, torque=True), protocol)
    assert torque.is_torque_control
    assert not torque.use_async
