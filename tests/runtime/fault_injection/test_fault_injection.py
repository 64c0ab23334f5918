"""Fault injection: invariants hold, runs repeat exactly, and planted bugs are found."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import tyro
import zmq
from benchmarks.safety.planted import PLANTS, TRACKED, found
from tests.support.children import child_process, children_with
from tests.support.served import DEADLINE_S, until

from skill_proto.faults import FAULTS
from skill_robots.arm import ArmSpec
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.motion.limits import MotionLimits, Surroundings
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper
from skill_runtime.fault_injection.__main__ import Arguments, check, report
from skill_runtime.fault_injection.campaign import Outcome, split
from skill_runtime.fault_injection.oracles.motion import AT_REST, MotionOracle
from skill_runtime.fault_injection.run import FaultRun, RunConfig, RunResult
from skill_runtime.fault_injection.virtual.clock import VirtualClock
from skill_runtime.fault_injection.virtual.transport import Sent, VirtualTransport

TICKS = 10_000
"""Length of most runs with a planted bug."""

RARE = {"old_poses_are_used": 25_000, "garbage_is_executed": 25_000}
"""Length of the runs for bugs whose occasion is rare."""

SEEDS = {
    "garbage_is_executed": (5, 1, 3),
    "governor_without_stops": (2, 5),
    "governor_brakes_too_hard": (2, 5),
}
"""Seeds whose runs have the occasion for a bug, if seeds 1 and 2 have not."""

MODEL = Path(__file__).parents[3] / "models" / "csf_panda.onnx"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Silences the log: each run reports thousands of faults."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def run(seed: int, ticks: int, *, physics: bool = False) -> RunResult:
    return FaultRun(RunConfig(seed=seed, ticks=ticks, model=MODEL, physics=physics)).run()


@pytest.mark.slow
def test_no_invariant_breaks() -> None:
    counts: Counter[str] = Counter()
    for seed in range(100, 106):
        counts.update(run(seed, 8_000).counts)
    # A run without events would prove little.
    for name in (
        *("acquire", "renew", "skill", "goal", "servo_joint", "stop", "clear", "takeover"),
        "stopped by idle timeout",
    ):
        assert counts[name] > 0, name
    for code in ("no_lease", "lease_held", "stale", "malformed", "too_large", "not_now"):
        assert counts[f"refused {code}"] > 0, code
    for kind in set(FAULTS) - {"outside"}:  # the policy has no encoder
        assert counts[f"fault {kind}"] > 0, kind


def test_no_invariant_breaks_with_physics() -> None:
    assert run(8, 2_000, physics=True).counts["acquire"] > 0


def test_a_run_does_not_change_the_priority_of_its_thread() -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    run(seed=0, ticks=50)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_equal_seeds_give_equal_runs() -> None:
    first, again, other = run(7, 1_500), run(7, 1_500), run(9, 1_500)
    assert first == again
    assert first.digest != other.digest


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_found(name: str) -> None:
    seeds = (5, 11) if name in TRACKED else SEEDS.get(name, (1, 2))
    found_by = (
        found(name, RunConfig(seed=seed, ticks=RARE.get(name, TICKS), model=MODEL))
        for seed in seeds
    )
    said = next(filter(None, found_by), None)
    assert said is not None
    _, _, expected = PLANTS[name]
    assert re.search(expected, said)


@pytest.mark.slow
def test_no_invariant_breaks_in_the_same_runs_without_a_planted_bug() -> None:
    for seed in (1, 2, 5):
        run(seed, TICKS)


def test_a_failure_is_reported_with_the_command_that_repeats_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = RunConfig(seed=7, ticks=60, model=Path("models/goal_panda.onnx"), physics=True)
    outcome = Outcome(config=config, broken="tick 3: too near", counts={})
    assert report(Arguments(model=config.model), [outcome], 1.0) == 1
    out = capsys.readouterr().out
    assert "BROKEN, seed 7: tick 3: too near" in out
    seed, ticks, flags = re.findall(r'make simulate SEED=(\d+) TICKS=(\d+) ARGS="(.*)"', out)[0]
    again = tyro.cli(Arguments, args=["--seed", seed, "--ticks", ticks, *flags.split()])
    check(again)
    (same,) = split(
        RunConfig(seed=again.seed, ticks=again.ticks, model=again.model, physics=again.physics),
        again.run_ticks,
    )
    assert same == config


def test_the_command_reports_its_runs_and_refuses_invalid_options() -> None:
    command = [sys.executable, "-m", "skill_runtime.fault_injection", "--model", str(MODEL)]
    good = subprocess.run(
        [*command, "--ticks", "600", "--run-ticks", "300", "--workers", "1"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert good.returncode == 0
    assert "600 ticks, 2 runs" in good.stdout
    assert "no invariant broken" in good.stdout
    bad = subprocess.run(
        [*command, "--ticks", "0"], capture_output=True, text=True, timeout=60, check=False
    )
    assert bad.returncode == 2
    assert bad.stderr.startswith("simulate: --ticks takes a number from 1")


def test_an_interrupt_keeps_the_runs_that_have_ended() -> None:
    command = [sys.executable, "-m", "skill_runtime.fault_injection", "--model", str(MODEL)]
    command += ["--ticks", "1000000", "--run-ticks", "100", "--workers", "2"]
    with child_process(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        time.sleep(10.0)  # some runs of 100 ticks
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert int(re.findall(r"ticks, (\d+) runs", out)[0]) >= 1
    assert out.endswith("interrupted: runs that had not ended are not counted\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_a_campaign_that_is_killed(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "skill_runtime.fault_injection", "--model", str(MODEL)]
    with child_process([*command, "--ticks", "10000000", "--workers", "2"]) as process:
        until(lambda: bool(children_with("spawn_main", process.pid)))
        workers = children_with("spawn_main", process.pid)
        process.send_signal(number)
    _, alive = psutil.wait_procs(workers, timeout=DEADLINE_S)
    for worker in alive:
        worker.kill()
    assert not alive


# The parts --------------------------------------------------------------------------------------


def transport(delivered: list[Sent]) -> VirtualTransport:
    clock = VirtualClock(lambda: 0.0)
    return VirtualTransport(clock, lambda *_: None, lambda _, message: delivered.append(message))


def test_messages_arrive_on_time_part_by_part() -> None:
    delivered: list[Sent] = []
    wire = transport(delivered)
    begin = wire.clock.time_s
    wire.post("commands", begin + 0.02, b"late", b"x")
    wire.post("commands", begin + 0.01, b"early", b"a", b"b")
    with pytest.raises(zmq.Again):
        wire.commands.recv()
    assert wire.commands.due == begin + 0.01
    wire.clock.advance_to(begin + 0.01)
    assert wire.clock.time_s == pytest.approx(begin + 0.01, abs=1e-4)
    parts = [wire.commands.recv() for _ in range(3)]
    assert [(part.bytes, part.more) for part in parts] == [
        (b"early", True),
        (b"a", True),
        (b"b", False),
    ]
    assert [message.sender for message in delivered] == [b"early"]


def test_a_wait_ends_late_and_every_reading_advances_the_clock() -> None:
    clock = VirtualClock(lambda: 0.5)
    begin = clock.time_s
    clock.sleep_until(begin + 1.0)
    assert clock.time_s == begin + 1.5
    assert clock.now() < clock.now()


@pytest.mark.parametrize("spec", [PANDA, FR3], ids=lambda spec: spec.name)
def test_the_allowed_braking_time_is_that_from_full_speed(spec: ArmSpec) -> None:
    shaper, state = SetpointShaper(spec, 0.005), Setpoint(np.zeros((1, 7)))
    slowest = int((spec.velocity_limit / spec.acceleration_limit).argmax())
    state.velocity[0, slowest] = shaper.config.limit_share * spec.velocity_limit[slowest]
    state.acceleration[0, slowest] = shaper.config.limit_share * spec.acceleration_limit[slowest]
    took_s = 0.0
    while state.velocity.max() > AT_REST:
        shaper.brake(state)
        took_s += shaper.period_s
    around = Surroundings(low=(-1.0, -1.0, 0.0), high=(1.0, 1.0, 1.0))
    allowed_s = MotionOracle(MotionLimits(spec, around, 0.005), 0.005, False).rest_within_s
    assert 0.8 * allowed_s < took_s < allowed_s
