"""Ids and codes of the two protocol versions, as numbers from libfranka-common's headers."""

from __future__ import annotations

import pytest

from skill_robots.control_box.wire.protocol import (
    ERROR_COUNT,
    FER_PROTOCOL,
    FR3_PROTOCOL,
    ErrorBit,
    MoveStatus,
    Protocol,
    RecoveryStatus,
    Request,
    SetterStatus,
    StopStatus,
)


@pytest.mark.parametrize(
    ("protocol", "ids"),
    [
        (
            FER_PROTOCOL,
            {
                Request.CONNECT: 0,
                Request.MOVE: 1,
                Request.STOP_MOVE: 2,
                Request.GET_CARTESIAN_LIMIT: 3,
                Request.SET_COLLISION_BEHAVIOR: 4,
                Request.SET_JOINT_IMPEDANCE: 5,
                Request.SET_CARTESIAN_IMPEDANCE: 6,
                Request.SET_GUIDING_MODE: 7,
                Request.SET_EE_TO_K: 8,
                Request.SET_NE_TO_EE: 9,
                Request.SET_LOAD: 10,
                Request.SET_FILTERS: 11,
                Request.AUTOMATIC_ERROR_RECOVERY: 12,
                Request.LOAD_MODEL_LIBRARY: 13,
            },
        ),
        (
            FR3_PROTOCOL,
            {
                Request.CONNECT: 0,
                Request.MOVE: 1,
                Request.STOP_MOVE: 2,
                Request.SET_COLLISION_BEHAVIOR: 3,
                Request.SET_JOINT_IMPEDANCE: 4,
                Request.SET_CARTESIAN_IMPEDANCE: 5,
                Request.SET_GUIDING_MODE: 6,
                Request.SET_EE_TO_K: 7,
                Request.SET_NE_TO_EE: 8,
                Request.SET_LOAD: 9,
                Request.AUTOMATIC_ERROR_RECOVERY: 10,
                Request.GET_ROBOT_MODEL: 11,
            },
        ),
    ],
)
def test_request_ids(protocol: Protocol, ids: dict[Request, int]) -> None:
    assert {request: code for code, request in protocol.requests.items()} == ids


def test_move_codes_of_version_5_have_no_safety_functions() -> None:
    codes = FER_PROTOCOL.move_codes
    assert codes[MoveStatus.SUCCESS] == 0
    assert codes[MoveStatus.MOTION_STARTED] == 1
    assert codes[MoveStatus.PREEMPTED] == 2
    assert codes[MoveStatus.NOT_POSSIBLE] == 3
    assert codes[MoveStatus.START_AT_SINGULAR_POSE] == 4
    assert codes[MoveStatus.INVALID_ARGUMENT] == 5
    assert codes[MoveStatus.REFLEX_ABORTED] == 6
    assert codes[MoveStatus.EMERGENCY_ABORTED] == 7
    assert codes[MoveStatus.INPUT_ERROR_ABORTED] == 8
    assert codes[MoveStatus.ABORTED] == 9
    assert len(codes) == 10


def test_move_codes_of_version_10() -> None:
    codes = FR3_PROTOCOL.move_codes
    assert codes[MoveStatus.PREEMPTED_BY_SAFETY_FUNCTION] == 3
    assert codes[MoveStatus.REJECTED_BY_SAFETY_FUNCTION] == 4
    assert codes[MoveStatus.NOT_POSSIBLE] == 5
    assert codes[MoveStatus.START_AT_SINGULAR_POSE] == 6
    assert codes[MoveStatus.INVALID_ARGUMENT] == 7
    assert codes[MoveStatus.REFLEX_ABORTED] == 8
    assert codes[MoveStatus.EMERGENCY_ABORTED] == 9
    assert codes[MoveStatus.INPUT_ERROR_ABORTED] == 10
    assert codes[MoveStatus.ABORTED] == 11


def test_codes_of_stop_recovery_and_setters() -> None:
    assert FER_PROTOCOL.stop_codes[StopStatus.REFLEX_ABORTED] == 3
    assert FR3_PROTOCOL.stop_codes[StopStatus.REFLEX_ABORTED] == 4
    assert FER_PROTOCOL.recovery_codes[RecoveryStatus.MANUAL_RECOVERY_REQUIRED] == 2
    assert FR3_PROTOCOL.recovery_codes[RecoveryStatus.MANUAL_RECOVERY_REQUIRED] == 3
    assert FER_PROTOCOL.recovery_codes[RecoveryStatus.EMERGENCY_ABORTED] == 4
    assert FR3_PROTOCOL.recovery_codes[RecoveryStatus.EMERGENCY_ABORTED] == 5
    for protocol in (FER_PROTOCOL, FR3_PROTOCOL):
        assert protocol.setter_codes[SetterStatus.NOT_POSSIBLE] == 1
        assert protocol.setter_codes[SetterStatus.INVALID_ARGUMENT] == 2


def test_errors_are_41_and_version_10_replaces_two_of_them() -> None:
    assert ERROR_COUNT == 41
    assert [error.value for error in ErrorBit] == list(range(41))
    generator = ErrorBit.JOINT_MOTION_GENERATOR_POSITION_LIMITS_VIOLATION
    assert FER_PROTOCOL.error_bit(generator) == 12
    assert FR3_PROTOCOL.error_bit(generator) == 0
    assert FR3_PROTOCOL.error_bit(ErrorBit.CARTESIAN_REFLEX) == 7
