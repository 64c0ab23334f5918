"""The load generator: a real service, and the search on runs whose limit is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.serving.load.generator import Played, Task
from benchmarks.serving.load.robots import limit
from benchmarks.serving.load.search import Found, GeneratorError, join, play_in_processes, search
from benchmarks.serving.load.services import make_keys, serving

PUNCTUAL = Played(
    robots=10,
    began=10,
    begin_s=0.2,
    rate_hz=25.0,
    steps=1000,
    late_share=0.001,
    missed=1,
    lost=0,
    forgotten=0,
    errors={},
    p50_ms=1.0,
    p99_ms=8.0,
    p999_ms=20.0,
    sent_late_p99_ms=1.0,
    batch_mean=4.0,
    batch_p99=9.0,
    request_bytes=300,
    reply_bytes=200,
    service_cpu=0.5,
    service_mb=150.0,
    generator_cpu=0.2,
    load=1.0,
)
LATE = replace(PUNCTUAL, late_share=0.2, p99_ms=60.0, service_cpu=1.0)


def test_robots_with_keys_are_answered_by_a_service(policy_file: Path) -> None:
    with make_keys() as keys, serving(policy_file, 1, keys=keys, cpu=None, nice=0) as services:
        task = Task(
            addresses=[service.address for service in services],
            pids=[service.popen.pid for service in services],
            robots=7,
            rate_hz=10.0,
            seconds=1.0,
            key=str(keys.client),
            server_key=str(keys.server),
        )
        played = play_in_processes(task, processes=2, nice=0)
        assert (played.robots, played.began) == (7, 7)
        assert played.steps == 70
        assert played.forgotten == 0
        assert played.errors == {}
        assert played.service_cpu > 0.0
        # the same robots again, on new connections
        again = play_in_processes(task, processes=1, nice=0)
        assert again.began == 7
        assert again.forgotten == 0


def test_a_generator_without_a_service_says_why() -> None:
    task = Task(addresses=["udp:nowhere"], pids=[], robots=1, rate_hz=25.0, seconds=1.0)
    with pytest.raises(GeneratorError, match="the generator failed: "):
        play_in_processes(task, processes=1, nice=0)


@pytest.mark.parametrize("limit_is", [64, 100, 333, 1000])
def test_the_search_finds_the_limit(limit_is: int) -> None:
    def play(robots: int) -> Played:
        run = PUNCTUAL if robots <= limit_is else LATE
        return replace(run, robots=robots, began=robots)

    found = search(play, first=64, most=4096)
    assert found.held is not None
    assert found.failed is not None
    assert found.held.robots <= limit_is < found.failed.robots
    assert found.failed.robots - found.held.robots <= 0.06 * found.failed.robots


def test_the_search_repeats_a_late_run_once() -> None:
    runs = iter([LATE, PUNCTUAL, PUNCTUAL])
    found = search(lambda robots: replace(next(runs), robots=robots, began=robots), 64, 128)
    assert found.held is not None
    assert (found.held.robots, found.failed, len(found.runs)) == (128, None, 3)


def test_no_number_holds() -> None:
    found = search(lambda robots: replace(LATE, robots=robots, began=robots), 8, 64)
    assert (found.held, limit(found)) == (None, "service late at 1")


@pytest.mark.parametrize(
    ("run", "holds"),
    [
        (PUNCTUAL, True),
        (replace(PUNCTUAL, p99_ms=40.0), False),
        (replace(PUNCTUAL, late_share=0.01), False),
        (replace(PUNCTUAL, began=9), False),
    ],
)
def test_a_run_holds_if_all_robots_are_answered_within_the_period(run: Played, holds: bool) -> None:
    assert run.holds is holds


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (LATE, "service late at 10"),
        (replace(LATE, service_cpu=0.4, sent_late_p99_ms=12.0), "generator late at 10"),
        (replace(LATE, errors={"busy": 3}), "refused (busy) at 10"),
        (replace(LATE, began=4), "refused (no reply) at 10"),
    ],
)
def test_the_table_names_the_limit(run: Played, text: str) -> None:
    assert limit(Found(held=None, failed=run, runs=[run])) == text


def test_records_of_several_processes_are_joined() -> None:
    joined = join([PUNCTUAL, replace(LATE, errors={"busy": 2}, steps=3000)])
    assert (joined.robots, joined.steps, joined.errors) == (20, 4000, {"busy": 2})
    assert joined.late_share == pytest.approx((0.001 * 1000 + 0.2 * 3000) / 4000)
    assert (joined.p99_ms, joined.service_cpu) == (60.0, 1.0)


def test_the_cost_of_a_request_is_the_time_of_the_services() -> None:
    # half a processor for 10 robots at 25 Hz
    assert PUNCTUAL.us_per_request == pytest.approx(2000.0)
