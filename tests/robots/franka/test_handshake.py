"""The handshake with a control unit, over real sockets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from skill_robots.arm import ArmCommunicationError, ArmError
from skill_robots.franka.handshake import (
    LIBRARIES,
    ROBOT_PORT,
    clear_errors,
    library_for,
    robot_model,
    robot_status,
    server_version,
)

HOST = "127.13.1.1"
HEADER = struct.Struct("<III")

Answer = Callable[[socket.socket], None]


@contextmanager
def listening(*answers: Answer) -> Iterator[None]:
    """Answers one connection after the other on the robot's port."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((HOST, ROBOT_PORT))
        server.listen()

        def serve() -> None:
            for answer in answers:
                connection, _ = server.accept()
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(5.0)


def request(connection: socket.socket) -> tuple[int, int, bytes]:
    """Receives one request: command, id, body."""
    command, number, size = HEADER.unpack(connection.recv(HEADER.size, socket.MSG_WAITALL))
    return command, number, connection.recv(size - HEADER.size, socket.MSG_WAITALL)


def reply(connection: socket.socket, command: int, number: int, body: bytes) -> None:
    connection.sendall(HEADER.pack(command, number, HEADER.size + len(body)) + body)


def control_unit(version: int, model: bytes = b"\0<robot/>") -> Answer:
    """Answers Connect and GetRobotModel as a control unit of a version does."""

    def answer(connection: socket.socket) -> None:
        command, number, body = request(connection)
        asked, _ = struct.unpack("<HH", body)
        assert command == 0
        reply(connection, 0, number, struct.pack("<BH", asked != version, version))
        if asked == version:
            command, number, _ = request(connection)
            assert command == 11
            half = len(model) // 2
            frame = HEADER.pack(command, number, HEADER.size + len(model)) + model
            connection.sendall(frame[:half])
            connection.sendall(frame[half:])

    return answer


@pytest.mark.parametrize("version", [3, 5, 9, 10, 77])
def test_a_control_unit_tells_its_version(version: int) -> None:
    with listening(control_unit(version)):
        assert server_version(HOST) == version


def test_the_urdf_of_an_fr3_arrives_whole() -> None:
    text = "<robot>" + "x" * 100_000 + "</robot>"
    with listening(control_unit(10, b"\0" + text.encode())):
        assert robot_model(HOST) == text


def test_a_refused_urdf_is_an_error_with_its_reason() -> None:
    with listening(control_unit(10, b"\3")), pytest.raises(ArmError, match="Watchman"):
        robot_model(HOST)


ERRORS_AT = {5: 2282, 10: 1290}
MODE_AT = {5: 2364, 10: 1372}
SIZES = {5: 2373, 10: 1377}


def robot_in_reflex(version: int, recovery: bytes) -> Answer:
    """Sends one state with the mode Reflex and two errors, and answers a recovery."""

    def answer(connection: socket.socket) -> None:
        _, number, body = request(connection)
        _, port = struct.unpack("<HH", body)
        reply(connection, 0, number, struct.pack("<BH", 0, version))
        state = bytearray(SIZES[version])
        state[ERRORS_AT[version] + 7] = state[ERRORS_AT[version] + 40] = 1
        state[MODE_AT[version]] = 4
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as states:
            states.sendto(state, (HOST, port))
        with suppress(struct.error):  # the client has closed the connection
            command, number, _ = request(connection)
            assert command == {5: 12, 10: 10}[version]
            reply(connection, command, number, recovery)

    return answer


@pytest.mark.parametrize("version", [5, 10])
def test_mode_and_errors_are_those_of_a_state(version: int) -> None:
    with listening(robot_in_reflex(version, b"")):
        status = robot_status(HOST, version)
    assert status == (4, ("cartesian_reflex", "base_acceleration_invalid_reading"))


def test_a_robot_without_states_is_named() -> None:
    def mute(connection: socket.socket) -> None:
        _, number, _ = request(connection)
        reply(connection, 0, number, struct.pack("<BH", 0, 10))
        connection.recv(1)  # until the client closes the connection

    with listening(mute), pytest.raises(ArmCommunicationError, match="UDP"):
        robot_status(HOST, 10, timeout_s=0.2)


@pytest.mark.parametrize("version", [5, 10])
def test_errors_are_cleared_or_the_refusal_is_an_error(version: int) -> None:
    with listening(robot_in_reflex(version, b"\0")):
        clear_errors(HOST, version)
    with (
        listening(robot_in_reflex(version, b"\4")),
        pytest.raises(ArmError, match="does not recover"),
    ):
        clear_errors(HOST, version)


def test_another_version_than_expected_is_an_error() -> None:
    with listening(control_unit(5)), pytest.raises(ArmError, match="speaks version 5, expected 10"):
        robot_status(HOST, 10)


def test_nobody_listens() -> None:
    with pytest.raises(ArmCommunicationError, match=f"listens on {HOST}.*activate FCI"):
        server_version(HOST)


def test_an_unknown_host() -> None:
    with pytest.raises(ArmCommunicationError, match="cannot be reached"):
        server_version("no-such-robot.invalid")


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4),
        lambda connection: reply(connection, 0, 1, b""),
    ],
)
def test_another_program_on_the_port_is_named(answer: Answer) -> None:
    with listening(answer), pytest.raises(ArmCommunicationError, match="no Franka control unit"):
        server_version(HOST)


def test_a_closed_connection_is_named() -> None:
    with (
        listening(lambda connection: None),
        pytest.raises(ArmCommunicationError, match=r"closed the connection|cannot be reached"),
    ):
        server_version(HOST)


def test_a_control_unit_that_does_not_answer_in_time() -> None:
    def silent(connection: socket.socket) -> None:
        connection.recv(1024)  # Connect
        connection.recv(1024)  # the end of the connection

    with listening(silent), pytest.raises(ArmCommunicationError, match=r"within 0\.2 s"):
        server_version(HOST, timeout_s=0.2)


def test_each_supported_version_has_its_package() -> None:
    assert {version: library.module for version, library in LIBRARIES.items()} == {
        5: "panda_py",
        10: "franky",
    }
    assert library_for(5).package.startswith("panda-python")


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (4, "Panda with system 4.0.*update the robot to system 4.2.1"),
        (7, "FR3 with system 5.5.*update the robot to system 5.9"),
        (11, "does not know.*newer version of skill-serve"),
    ],
)
def test_an_unsupported_version_is_an_error_with_a_fix(version: int, text: str) -> None:
    with pytest.raises(ArmError, match=f"speaks version {version} .*{text}"):
        library_for(version)
