"""After a contact the doctor neither recovers nor moves the robot."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from skill_robots.control_box.wire.protocol import FR3_PROTOCOL, ErrorBit
from skill_robots.control_box.wire.robot_state import RobotState
from skill_robots.franka.robot_mode import RobotMode
from skill_runtime.doctor.control_box.client import ControlBoxError, RobotClient
from skill_runtime.doctor.control_box.moving_tests import MOVING_TESTS, refuse_contact
from skill_runtime.doctor.control_box.received_state import ReceivedState, decode
from skill_runtime.doctor.control_box.robot_test import Bench

HOST = f"127.45.{os.getpid() % 250 + 1}.1"


@pytest.fixture
def peer() -> Iterator[tuple[Bench, socket.socket]]:
    """A connected client, and the other end of its connection."""
    with socket.create_server((HOST, 1337)) as server, RobotClient(HOST) as client:
        connection, _ = server.accept()
        with connection:
            yield Bench(host=HOST, client=client, protocol=FR3_PROTOCOL, seconds=1.0), connection


def stopped(error: ErrorBit) -> ReceivedState:
    """Returns the state of a robot that stopped with this error."""
    state = RobotState(FR3_PROTOCOL)
    state.robot_mode = RobotMode.REFLEX
    state.errors = state.reflex_reason = 1 << error
    return decode(bytes(state.pack()), FR3_PROTOCOL)


@pytest.mark.parametrize(
    "error",
    [
        ErrorBit.JOINT_REFLEX,
        ErrorBit.CARTESIAN_REFLEX,
        ErrorBit.SELF_COLLISION_AVOIDANCE_VIOLATION,
    ],
)
def test_nothing_is_sent_after_a_contact(
    peer: tuple[Bench, socket.socket], error: ErrorBit
) -> None:
    bench, connection = peer
    with pytest.raises(ControlBoxError, match=f"{error.name.lower()}. Look at the robot"):
        refuse_contact(bench, stopped(error))
    for test in MOVING_TESTS:
        with pytest.raises(ControlBoxError, match="not started, because a contact"):
            test.ask(bench)
    connection.settimeout(0.05)
    with pytest.raises(TimeoutError):
        connection.recv(1)


def test_a_reflex_without_contact_is_recovered(peer: tuple[Bench, socket.socket]) -> None:
    bench, _ = peer
    refuse_contact(bench, stopped(ErrorBit.CONTROLLER_TORQUE_DISCONTINUITY))
    assert not bench.facts
