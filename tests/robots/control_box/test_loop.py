"""The loop on a virtual clock: a state per millisecond, catching up, slip, and the report."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from tests.support.box_bench import BoxBench
from tests.support.fci_client import FciClient

from skill_robots.control_box.box import ControlBox
from skill_robots.control_box.config import robot_config
from skill_robots.control_box.loop import CUTOFF_S, RealTimeLoop

CYCLES = 300


class VirtualClock:
    """Time that passes only while the loop sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept_until: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, duration: float) -> None:
        self.now += duration
        self.slept_until.append(self.now)


class Bench(BoxBench):
    """A control box with a client, its loop, and its clock."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        address = f"127.43.{os.getpid() % 250 + 1}.1"
        self.box = ControlBox(robot_config("fr3", scene="none"), address)
        self.loop = RealTimeLoop(self.box, clock=self.clock, sleep=self.clock.sleep)
        self.client = FciClient(address, 10)
        self.client.connect()
        self.states: list[bytes] = []
        self.slack: list[float] = []

    def run(self, stall_at: int = -1, stall_s: float = 0.0) -> None:
        def in_slack(now: float, slack_s: float) -> None:
            assert now <= self.clock.now
            self.slack.append(slack_s)
            self.states += self.client.states()
            if self.loop.times.states == stall_at:
                self.clock.now += stall_s

        self.loop.run(lambda: self.loop.times.states == CYCLES, in_slack)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def test_a_state_per_millisecond_with_the_cutoff_before_it(bench: Bench) -> None:
    bench.run()
    assert bench.loop.times.states == CYCLES
    assert bench.loop.times.realtime_factor == pytest.approx(1.0)
    assert bench.loop.times.gaps.longest == pytest.approx(1e-3)
    assert bench.loop.deadlines.slip_s == 0.0
    cutoffs, sends = bench.clock.slept_until[::2], bench.clock.slept_until[1::2]
    assert sends[9] - cutoffs[9] == pytest.approx(CUTOFF_S)
    assert bench.slack[9] == pytest.approx(1e-3 - CUTOFF_S)
    ids = [bench.client.message_id(state) for state in bench.states]
    # Connect is accepted in one of the first cycles; from then on no state is missing.
    assert ids == list(range(ids[0], CYCLES + 1))
    assert len(ids) >= CYCLES - 3


def test_a_stall_of_30_ms_is_caught_up(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.run(stall_at=100, stall_s=0.030)
    times = bench.loop.times
    assert bench.loop.deadlines.slip_s == 0.0
    assert times.realtime_factor == pytest.approx(1.0)
    assert times.gaps.longest == pytest.approx(0.030, abs=1e-4)
    assert times.gaps.percentile(1) == pytest.approx(0.6e-3, abs=2e-5)
    assert times.delays.longest == pytest.approx(0.029, abs=1e-3)
    assert "loop: a delay of 29 ms is caught up" in caplog.text
    assert "lost" not in caplog.text
    assert bench.loop.report()["catch_ups"] == 1


def test_the_part_of_a_stall_beyond_50_ms_is_slip(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.run(stall_at=100, stall_s=0.120)
    assert bench.loop.deadlines.slip_s == pytest.approx(0.120 - 0.002 - 0.050, abs=1e-4)
    assert "loop: a delay of 119 ms is caught up; 68 ms are lost" in caplog.text
    assert bench.loop.catch_ups == 1
    robot_s, wall_s = (CYCLES - 1) * 1e-3, bench.loop.times.wall_s
    assert wall_s - robot_s == pytest.approx(bench.loop.deadlines.slip_s, abs=1e-3)


def test_the_report_is_json_with_every_figure(bench: Bench) -> None:
    bench.run()
    report = json.loads(json.dumps(bench.loop.report()))
    assert report["robot"] == "fr3"
    assert report["protocol"] == 10
    assert report["states"] == CYCLES
    assert report["realtime_factor"] == 1.0
    assert report["gap_p99_ms"] == 1.0
    assert report["answered_share"] is None
    assert report["longest_miss"] == 0
    assert report["clients"] == 1
    assert report["cpu_share"] > 0.0
