"""The control box through its sockets, one cycle at a time and without a clock."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.support.box_bench import BoxBench
from tests.support.fci_client import FciClient

from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.config import robot_config
from skill_robots.control_box.wire import request_server
from skill_robots.control_box.wire.request_server import AddressInUseError
from skill_robots.franka.model import FrankaRobot

ROBOTS = {"fer": 5, "fr3": 10}
STOP_MOVE = 2
RECOVERY = {"fer": 12, "fr3": 10}
SET_JOINT_IMPEDANCE = {"fer": 5, "fr3": 4}
PREEMPTED = 2
REFLEX_ABORTED = {"fer": 6, "fr3": 8}
EMERGENCY_ABORTED = {"fer": 7, "fr3": 9}
INVALID_ARGUMENT = {"fer": 5, "fr3": 7}
NOT_POSSIBLE = {"fer": 3, "fr3": 5}
LOST_PACKETS = 25

_addresses = iter(range(1, 255))


class Bench(BoxBench):
    """A control box on an address of its own, and a client of plain sockets."""

    def __init__(self, robot: FrankaRobot) -> None:
        worker = os.getpid() % 250 + 1  # parallel test runs use other addresses
        self.robot = robot
        self.address = f"127.40.{worker}.{next(_addresses)}"
        self.box = ControlBox(robot_config(robot, scene="none"), self.address)
        self.clients: list[FciClient] = []
        self.client = self.new_client()

    def new_client(self, version: int | None = None, port: int = 1337) -> FciClient:
        client = FciClient(self.address, version or ROBOTS[self.robot], port)
        self.clients.append(client)
        self.cycle()
        return client

    def connect(self) -> FciClient:
        self.client.connect()
        self.cycle(2)
        assert self.client.replies()[0].payload == connected(self.robot)
        assert self.client.states()
        return self.client

    def start_move(self, controller: int = 0, generator: int = 0) -> None:
        self.client.request(1, move(self.robot, controller, generator))
        self.cycle()
        assert [reply.status for reply in self.client.replies()] == [1]

    def answered_cycles(self, count: int) -> bytes:
        """Cycles whose state is answered with the measured joint position; the last state."""
        state = self.client.states()[-1]
        start = self.client.position(state)
        for _ in range(count):
            self.client.send_command(self.client.message_id(state), q=start)
            self.cycle()
            state = self.client.states()[-1]
        return state

    def fresh_state(self) -> bytes:
        """The state of one more cycle; many unread states fill the socket's buffer."""
        self.client.states()
        self.cycle()
        return self.client.states()[-1]

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.box.close()


def connected(robot: str) -> bytes:
    return struct.pack("<BH", 0, ROBOTS[robot])


def move(robot: str, controller: int, generator: int) -> bytes:
    payload = struct.pack("<II6d", controller, generator, 10, 3.12, 6.28, 10, 3.12, 6.28)
    return payload + (bytes(57) if robot == "fr3" else b"")


@pytest.fixture(params=ROBOTS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(request.param)
    yield bench
    bench.close()


@pytest.fixture
def fr3() -> Iterator[Bench]:
    bench = Bench("fr3")
    yield bench
    bench.close()


# ---- Connections -------------------------------------------------------------------------------


def test_states_follow_connect_and_count_milliseconds(bench: Bench) -> None:
    client = bench.connect()
    bench.cycle(3)
    states = client.states()
    assert len(states) == 3
    assert {len(state) for state in states} == {2373 if bench.robot == "fer" else 1377}
    ids = [client.message_id(state) for state in states]
    assert ids == [ids[0], ids[0] + 1, ids[0] + 2]
    assert client.modes(states[0]) == (0, 3, 1)


def test_another_version_is_refused_with_the_own_one(bench: Bench) -> None:
    """The handshake by which a driver learns the version."""
    probe = bench.client
    probe.request(0, struct.pack("<HH", 0, probe.udp.getsockname()[1]))
    bench.cycle(2)
    assert probe.replies()[0].payload == struct.pack("<BH", 1, ROBOTS[bench.robot])
    assert not probe.states()
    probe.close()
    bench.client = bench.new_client()
    bench.connect()


def test_a_second_client_is_refused(fr3: Bench, caplog: pytest.LogCaptureFixture) -> None:
    client = fr3.connect()
    second = fr3.new_client()
    assert second.is_closed()
    assert "a second client, 127.0.0.1, is refused" in caplog.text
    fr3.cycle()
    assert client.states()
    client.close()
    fr3.client = fr3.new_client()
    fr3.connect()


def test_connect_must_come_first_and_soon(
    fr3: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fr3.client.request(STOP_MOVE)
    fr3.cycle()
    assert fr3.client.is_closed()
    assert "before Connect" in caplog.text
    monkeypatch.setattr(request_server, "CONNECT_TIMEOUT_S", 0.0)
    silent = fr3.new_client()
    fr3.cycle()
    assert silent.is_closed()
    assert "no valid Connect" in caplog.text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (struct.pack("<III", 1, 1, 3), "a request of 3 bytes"),
        (struct.pack("<III", 1, 1, 1 << 31), "a request of 2,147,483,648 bytes"),
        (struct.pack("<III", 99, 1, 12), "has no request 99"),
        (struct.pack("<IIIHH", 0, 1, 16, 10, 5), "second Connect"),
        (b"GET / HTTP/1.1\r\n\r\n", "a request of"),
    ],
)
def test_nonsense_ends_the_connection_with_a_log_line(
    fr3: Bench, caplog: pytest.LogCaptureFixture, data: bytes, reason: str
) -> None:
    client = fr3.connect()
    client.tcp.sendall(data)
    fr3.cycle()
    assert client.is_closed()
    assert reason in caplog.text
    fr3.client = fr3.new_client()
    fr3.connect()


def test_a_client_whose_port_cannot_receive_is_refused(fr3: Bench) -> None:
    fr3.client.request(0, struct.pack("<HH", 10, 0))
    fr3.cycle()
    assert fr3.client.is_closed()


def test_a_request_in_pieces_is_one_request(fr3: Bench) -> None:
    client = fr3.connect()
    data = struct.pack("<III7d", SET_JOINT_IMPEDANCE["fr3"], 77, 68, *[3000.0] * 7)
    for byte in data:
        assert not client.replies()
        client.tcp.sendall(bytes([byte]))
        fr3.cycle()
    assert [(reply.command_id, reply.status) for reply in client.replies()] == [(77, 0)]


def test_many_requests_are_spread_over_cycles(fr3: Bench) -> None:
    client = fr3.connect()
    ids = [client.request(STOP_MOVE) for _ in range(40)]
    fr3.cycle()
    assert len(client.replies()) == request_server.REQUESTS_PER_CYCLE
    fr3.cycle(12)
    assert [reply.command_id for reply in client.replies()] == ids[4:]


def test_a_client_that_reads_no_replies_is_disconnected(
    fr3: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    client = fr3.connect()
    request = struct.pack("<III", 11, 1, 12)
    client.tcp.setblocking(False)
    for _ in range(5000):  # about 8 kB of replies for each request; the kernel keeps some MB
        with contextlib.suppress(OSError):
            client.tcp.send(request * request_server.REQUESTS_PER_CYCLE)
        fr3.cycle()
        if not fr3.box.robot_service.server.peer:
            break
    assert "it did not read" in caplog.text


def test_a_taken_port_names_the_fix(fr3: Bench) -> None:
    with pytest.raises(AddressInUseError, match=rf"{fr3.address}:1337: Address already in use"):
        ControlBox(robot_config("fr3", scene="none"), fr3.address)


# ---- Requests ----------------------------------------------------------------------------------


def test_setters_reply_with_their_status(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    client = bench.connect()
    setter = SET_JOINT_IMPEDANCE[bench.robot]
    client.request(setter, struct.pack("<7d", *[3000.0] * 7))
    client.request(setter, struct.pack("<7d", *[-1.0] * 7))
    client.request(setter, struct.pack("<7d", *[float("nan")] * 7))
    client.request(setter, bytes(48))
    bench.cycle()
    assert [reply.status for reply in client.replies()] == [0, 2, 2, 2]
    assert "SET_JOINT_IMPEDANCE: payload of 56 bytes expected, got 48" in caplog.text


def test_setters_are_refused_while_a_motion_runs(bench: Bench) -> None:
    client = bench.connect()
    bench.start_move()
    client.request(SET_JOINT_IMPEDANCE[bench.robot], struct.pack("<7d", *[3000.0] * 7))
    bench.cycle()
    assert [reply.status for reply in client.replies()] == [1]


def test_the_fr3_sends_its_urdf(fr3: Bench) -> None:
    client = fr3.connect()
    for _ in range(3):  # as often as franky asks
        client.request(11)
    fr3.cycle(2)
    replies = client.replies()
    assert [reply.status for reply in replies] == [0, 0, 0]
    assert ElementTree.fromstring(replies[0].payload[1:]).tag == "robot"


def test_the_panda_sends_a_library_for_linux_on_x86_64_only() -> None:
    bench = Bench("fer")
    client = bench.connect()
    client.request(13, bytes([0, 0]))
    client.request(13, bytes([1, 0]))
    client.request(3, struct.pack("<i", 0))
    bench.cycle(3)
    library, refused, wall = client.replies()
    assert library.status == 0
    assert library.payload[1:5] == b"\x7fELF"
    assert refused.payload == bytes([1])
    assert wall.payload == bytes(154)
    bench.close()


def test_without_a_compiler_the_library_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bench = Bench("fer")
    assert "LoadModelLibrary is refused: there is no C compiler 'cc'" in caplog.text
    client = bench.connect()
    client.request(13, bytes([0, 0]))
    bench.cycle()
    assert [reply.payload for reply in client.replies()] == [bytes([1])]
    bench.close()


# ---- Motions -----------------------------------------------------------------------------------


def test_a_motion_from_start_to_finish(bench: Bench) -> None:
    client = bench.connect()
    move_id = client.request(1, move(bench.robot, 0, 0))
    bench.cycle()
    assert [(r.command_id, r.status) for r in client.replies()] == [(move_id, 1)]
    state = bench.answered_cycles(150)
    assert client.modes(state) == (1, 0, 2)
    assert bench.box.answers.answered == bench.box.answers.awaited == 150
    client.send_command(client.message_id(state), q=client.position(state), finished=True)
    bench.until(lambda: bench.box.robot.state.robot_mode == 1)
    assert [(r.command_id, r.status) for r in client.replies()] == [(move_id, 0)]
    assert client.modes(bench.fresh_state()) == (0, 3, 1)
    assert bench.box.answers.awaited == 151


def test_stop_preempts_the_motion(bench: Bench) -> None:
    client = bench.connect()
    bench.start_move()
    bench.answered_cycles(10)
    stop_id = client.request(STOP_MOVE, b"malformed")
    bench.until(lambda: bench.box.robot.state.robot_mode == 1)
    replies = {reply.command: (reply.command_id, reply.status) for reply in client.replies()}
    assert replies[STOP_MOVE] == (stop_id, 0)
    assert replies[1][1] == PREEMPTED
    assert bench.box.answers.longest_miss == 1  # the state before the stop, and none after it


def test_late_and_malformed_commands_count_as_lost(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    client = bench.connect()
    bench.start_move()
    state = bench.answered_cycles(5)
    client.send_command(client.message_id(state) - 1, q=client.position(state))
    bench.cycle()
    client.send_datagram(bytes(17))
    bench.cycle()
    client.send_command(client.message_id(state) + 1000, q=client.position(state))
    bench.cycle()
    service = bench.box.robot_service
    assert (service.late, service.malformed) == (2, 1)
    assert bench.box.answers.longest_miss == 3
    assert "bytes expected, got 17" in caplog.text
    assert bench.box.robot.state.control_command_success_rate == pytest.approx(0.97)


def test_more_than_20_lost_packets_are_a_reflex_and_recovery_ends_it(bench: Bench) -> None:
    client = bench.connect()
    bench.start_move()
    bench.answered_cycles(10)
    bench.cycle(20)
    assert client.modes(client.states()[-1])[2] == 2
    bench.cycle()
    state = client.states()[-1]
    assert client.modes(state) == (0, 3, 4)
    assert client.errors(state) == [LOST_PACKETS]
    assert [reply.status for reply in client.replies()] == [REFLEX_ABORTED[bench.robot]]
    assert bench.box.reflexes == {"communication_constraints_violation": 1}
    client.request(1, move(bench.robot, 0, 0))
    bench.cycle()
    assert [reply.status for reply in client.replies()] == [NOT_POSSIBLE[bench.robot]]
    client.request(RECOVERY[bench.robot])
    bench.until(lambda: bench.box.robot.state.robot_mode == 1)
    assert [reply.status for reply in client.replies()] == [0]
    state = bench.fresh_state()
    assert client.modes(state) == (0, 3, 1)
    assert client.errors(state) == []
    bench.start_move()


@pytest.mark.parametrize("silent_ms", [15, 20])
def test_short_silence_is_survived(bench: Bench, silent_ms: int) -> None:
    client = bench.connect()
    bench.start_move()
    bench.answered_cycles(50)
    bench.cycle(silent_ms)
    state = bench.answered_cycles(50)
    assert client.modes(state)[2] == 2
    assert client.errors(state) == []
    assert bench.box.answers.longest_miss == silent_ms


def test_a_step_of_0_3_rad_breaks_three_limits_at_once(bench: Bench) -> None:
    client = bench.connect()
    bench.start_move()
    state = bench.answered_cycles(50)
    target = client.position(state)
    target[6] += 0.3
    client.send_command(client.message_id(state), q=target)
    bench.cycle()
    state = client.states()[-1]
    assert client.modes(state) == (0, 3, 4)
    assert client.errors(state) == [13, 14, 15]
    assert [reply.status for reply in client.replies()] == [REFLEX_ABORTED[bench.robot]]


def test_a_torque_step_is_a_discontinuity(bench: Bench) -> None:
    """1 N m per millisecond is allowed; version 5 asks for torque control by joint velocity."""
    client = bench.connect()
    bench.start_move(controller=2, generator=1 if bench.robot == "fer" else 4)
    for torque in (0.0, 1.0, 2.0, 1.0, 0.0):
        state = client.states()[-1]
        client.send_command(client.message_id(state), torque=[0.0] * 6 + [torque])
        bench.cycle()
        assert client.errors(client.states()[-1]) == [], torque
        bench.cycle()
    state = client.states()[-1]
    client.send_command(client.message_id(state), torque=[0.0] * 6 + [1.1])
    bench.cycle()
    assert client.errors(client.states()[-1]) == [32]
    assert [reply.status for reply in client.replies()] == [REFLEX_ABORTED[bench.robot]]


def test_a_client_that_vanishes_during_a_motion_ends_it(bench: Bench) -> None:
    bench.connect()
    bench.start_move()
    bench.answered_cycles(5)
    bench.client.close()
    bench.cycle()
    assert bench.box.robot.state.robot_mode == 4
    bench.client = bench.new_client()
    bench.connect()
    bench.client.request(RECOVERY[bench.robot])
    bench.until(lambda: bench.box.robot.state.robot_mode == 1)
    assert [reply.status for reply in bench.client.replies()] == [0]
    bench.start_move()


def test_the_user_stop_ends_a_motion(bench: Bench) -> None:
    client = bench.connect()
    bench.start_move()
    bench.answered_cycles(5)
    bench.box.user_stop = True
    bench.cycle(2)
    assert [reply.status for reply in client.replies()] == [EMERGENCY_ABORTED[bench.robot]]
    assert client.modes(client.states()[-1])[2] == 5
    bench.box.user_stop = False
    bench.cycle(1000)
    assert client.modes(bench.fresh_state())[2] == 1


@pytest.mark.parametrize("payload", [bytes(3), move("fr3", 9, 0), move("fr3", 0, 9)])
def test_a_malformed_move_is_an_invalid_argument(fr3: Bench, payload: bytes) -> None:
    client = fr3.connect()
    client.request(1, payload)
    fr3.cycle()
    assert [reply.status for reply in client.replies()] == [INVALID_ARGUMENT["fr3"]]


def test_an_asynchronous_motion_takes_rare_and_old_answers(fr3: Bench) -> None:
    client = fr3.connect()
    payload = struct.pack("<II6dB7d", 0, 0, *[0.5] * 6, 1, *[1.0] * 7)
    client.request(1, payload)
    fr3.cycle()
    assert [reply.status for reply in client.replies()] == [1]
    state = client.states()[-1]
    target = client.position(state)
    target[6] += 0.05
    fr3.cycle(30)
    client.send_command(client.message_id(state), q=target)  # 30 ms old
    fr3.cycle(1500)
    state = fr3.fresh_state()
    assert client.modes(state) == (1, 0, 2)
    assert client.position(state) == pytest.approx(target, abs=2e-3)
    assert fr3.box.answers.awaited == 0
    assert fr3.box.robot_service.late == 0


# ---- Snapshot ----------------------------------------------------------------------------------


def test_snapshot_names_client_mode_and_reflex(
    fr3: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert fr3.box.snapshot().mode == "IDLE"
    fr3.connect()
    fr3.start_move()
    fr3.answered_cycles(3)
    snapshot = fr3.box.snapshot()
    assert snapshot.client == "127.0.0.1"
    assert snapshot.gripper_client == ""
    assert snapshot.mode == "MOVE (JOINT_POSITION, JOINT_IMPEDANCE)"
    assert snapshot.success_rate == 1.0
    fr3.cycle(21)
    assert fr3.box.snapshot().last_reflex == "communication_constraints_violation"
    assert "robot: reflex: communication_constraints_violation" in caplog.text
