"""Episodes that a journal lacks are run, repeated after a slip, and end with the time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from benchmarks.arms.ladder.journal import Journal
from benchmarks.arms.ladder.runner import ATTEMPTS, EntryRun, Pace, TimeUpError
from benchmarks.arms.ladder.settings import Entry
from benchmarks.arms.simulated_rung import SimulatedRung

from skill_runtime.control.arm_controller import ArmController
from skill_runtime.policy import OnnxPolicy

CSF = Path("models/csf_panda.onnx")


class SlippingRung(SimulatedRung):
    """A simulation that reports lost time in its first episodes."""

    slips = 0
    starts = 0
    lost_s = 0.0

    def start(self, controller: ArmController, seed: int) -> None:
        super().start(controller, seed)
        self.starts += 1

    @property
    def slip_s(self) -> float:
        """Every second reading, that at an episode's end, is larger, as long as it slips."""
        self.readings = getattr(self, "readings", 0) + 1
        if self.readings % 2 == 0 and self.readings <= 2 * self.slips:
            self.lost_s += 0.021
        return self.lost_s


class Bench:
    """One entry on a rung that slips in its first attempts."""

    def __init__(self, path: Path, slips: int = 0, ends: float | None = None) -> None:
        policy = OnnxPolicy(CSF)
        self.rung = SlippingRung(policy.manifest, "mujoco")
        self.rung.slips = slips
        self.journal = Journal(path, {})
        self.shown: list[str] = []
        self.pace = Pace(ends, {"mujoco": 2})
        self.run = EntryRun(
            entry=Entry(model=str(CSF), commands="skills", rung="mujoco"),
            seed=100,
            rung=self.rung,
            controller=ArmController(self.rung.arm, policy),
            vectors=np.eye(2),
            journal=self.journal,
            pace=self.pace,
            revision="r",
            show=self.shown.append,
        )


def test_episodes_are_run_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "e.jsonl")
    bench.run.run()
    assert [record.revision for record in bench.journal.records.values()] == ["r", "r"]
    assert bench.rung.starts == 2
    assert bench.pace.left == {"mujoco": 0}
    bench.run.run()
    assert bench.rung.starts == 2


def test_an_episode_with_a_slip_is_repeated_from_the_same_start(tmp_path: Path) -> None:
    plain, slipped = Bench(tmp_path / "plain.jsonl"), Bench(tmp_path / "slip.jsonl", slips=2)
    plain.run.run()
    slipped.run.run()
    assert slipped.journal.inconclusive == 2
    assert slipped.rung.starts == 4
    assert "inconclusive: 0.021 s of real time were lost" in slipped.shown[0]
    first, repeated = (bench.journal.records[0] for bench in (plain, slipped))
    assert repeated.mass == first.mass
    assert repeated.cube == first.cube


def test_an_episode_that_always_slips_is_left_for_a_later_run(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "e.jsonl", slips=ATTEMPTS)
    bench.run.run()
    assert set(bench.journal.records) == {1}
    assert bench.journal.inconclusive == ATTEMPTS
    assert bench.pace.left == {"mujoco": 1}
    bench.run.run()
    assert set(bench.journal.records) == {0, 1}


def test_the_time_ends_a_run_between_two_episodes(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "e.jsonl")

    def end_now(text: str) -> None:
        bench.pace.ends = time.monotonic()

    object.__setattr__(bench.run, "show", end_now)
    with pytest.raises(TimeUpError):
        bench.run.run()
    assert set(bench.journal.records) == {0}
