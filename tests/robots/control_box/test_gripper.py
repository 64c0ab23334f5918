"""The gripper's port of the control box, one cycle at a time and without a clock."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterator

import pytest
from tests.support.box_bench import BoxBench
from tests.support.fci_client import FciClient

from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.config import robot_config

HOMING, GRASP, MOVE, STOP = 1, 2, 3, 4
SUCCESS, FAIL, UNSUCCESSFUL, ABORTED = 0, 1, 2, 3


class Bench(BoxBench):
    """A control box whose hand is open by 40 mm, and a client of its gripper."""

    def __init__(self, *, homed: bool = True) -> None:
        self.address = f"127.41.{os.getpid() % 250 + 1}.{1 + homed}"
        config = robot_config("fr3", scene="none", hand_width=0.04, hand_is_homed=homed)
        self.box = ControlBox(config, self.address)
        self.client = self.connect()

    def connect(self) -> FciClient:
        client = FciClient(self.address, 3, 1338)
        client.connect()
        self.cycle(2)
        assert client.replies()[0].payload == struct.pack("<HH", 0, 3)
        return client

    def move(self, width: float, speed: float = 0.1) -> int:
        return self.client.request(MOVE, struct.pack("<2d", width, speed))

    def replies(self, cycles: int) -> list[tuple[int, int]]:
        """Command ids and statuses of the replies within some cycles."""
        self.cycle(cycles)
        return [(r.command_id, r.status) for r in self.client.replies()]

    def width(self) -> float:
        return self.box.robot.plant.finger_width


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def test_states_come_every_33_ms(bench: Bench) -> None:
    bench.client.states()
    bench.cycle(330)
    states = bench.client.states()
    assert len(states) == 10
    decoded = [struct.unpack("<IddBH", state) for state in states]
    assert {second[0] - first[0] for first, second in itertools.pairwise(decoded)} == {33}
    _, width, max_width, is_grasped, temperature = decoded[-1]
    assert width == pytest.approx(0.04, abs=1e-4)
    assert max_width == 0.08
    assert not is_grasped
    assert 10 <= temperature <= 60


def test_another_version_is_refused() -> None:
    bench = Bench()
    bench.client.close()
    client = FciClient(bench.address, 2, 1338)
    client.connect()
    bench.cycle(2)
    assert client.replies()[0].payload == struct.pack("<HH", 1, 3)
    client.close()
    bench.close()


def test_a_move_is_answered_when_it_has_ended(bench: Bench) -> None:
    move_id = bench.move(0.06, speed=0.1)
    # 20 mm at 100 mm/s are 200 ms.
    assert bench.replies(150) == []
    assert bench.replies(200) == [(move_id, SUCCESS)]
    assert bench.width() == pytest.approx(0.06, abs=5e-4)


def test_a_move_waits_for_the_running_one(bench: Bench) -> None:
    first, second = bench.move(0.06), bench.move(0.02)
    assert bench.replies(350) == [(first, SUCCESS)]
    assert bench.replies(700) == [(second, SUCCESS)]
    assert bench.width() == pytest.approx(0.02, abs=5e-4)


def test_stop_aborts_the_running_and_the_waiting_moves(bench: Bench) -> None:
    first, second = bench.move(0.08, speed=0.05), bench.move(0.0)
    bench.cycle(100)
    stop = bench.client.request(STOP)
    replies = bench.replies(20)
    assert sorted(replies) == [(first, ABORTED), (second, ABORTED), (stop, SUCCESS)]
    stopped_at = bench.width()
    bench.cycle(300)
    assert bench.width() == pytest.approx(stopped_at, abs=2e-3)


def test_a_tenth_command_fails(bench: Bench) -> None:
    ids = [bench.move(0.08 if i % 2 else 0.07, speed=0.001) for i in range(10)]
    assert bench.replies(10) == [(ids[9], FAIL)]


@pytest.mark.parametrize(
    ("command", "payload"),
    [
        (MOVE, bytes(8)),
        (MOVE, struct.pack("<2d", float("nan"), 0.1)),
        (MOVE, struct.pack("<2d", 0.5, 0.1)),
        (GRASP, bytes(16)),
        (HOMING, bytes(8)),
    ],
)
def test_malformed_and_impossible_commands_fail(bench: Bench, command: int, payload: bytes) -> None:
    request = bench.client.request(command, payload)
    assert bench.replies(5) == [(request, FAIL)]


def test_grasping_air_is_unsuccessful(bench: Bench) -> None:
    grasp = bench.client.request(GRASP, struct.pack("<5d", 0.04, 0.01, 0.01, 0.1, 20.0))
    assert bench.replies(2000) == [(grasp, UNSUCCESSFUL)]


def test_an_unknown_request_ends_the_connection(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.client.request(9)
    bench.cycle()
    assert bench.client.is_closed()
    assert "the gripper has no request 9" in caplog.text


def test_a_motion_outlives_its_client(bench: Bench) -> None:
    bench.move(0.08, speed=0.05)
    bench.cycle(100)
    bench.client.close()
    bench.cycle()
    bench.client = bench.connect()
    later = bench.move(0.06)
    # The old client's move takes 700 ms more; then the new one's 20 mm.
    assert bench.replies(600) == []
    assert bench.replies(600) == [(later, SUCCESS)]


def test_homing_finds_the_width_of_a_hand_that_is_not_homed() -> None:
    bench = Bench(homed=False)
    refused = bench.move(0.05)
    assert bench.replies(5) == [(refused, FAIL)]
    homing = bench.client.request(HOMING)
    replies: list[tuple[int, int]] = []
    bench.until(lambda: bool(replies.extend(bench.replies(10)) or replies), cycles=5000)
    assert replies == [(homing, SUCCESS)]
    bench.client.states()
    bench.cycle(40)
    assert struct.unpack("<IddBH", bench.client.states()[-1])[2] == pytest.approx(0.08, abs=1e-3)
    bench.close()
