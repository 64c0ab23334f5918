"""The ladder runs the same episodes on every rung, goes on after its end, and reports losses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.arms.episodes import run_episode, start_width
from benchmarks.arms.ladder.__main__ import Table, main
from benchmarks.arms.ladder.settings import Config
from benchmarks.arms.scripted_pick import PICK, ScriptedPick
from benchmarks.arms.simulated_rung import SimulatedRung
from tests.support.children import child_process
from tests.support.served import DEADLINE_S

from skill_runtime.console.flags import UsageError
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.policy import OnnxPolicy

CSF = "models/csf_panda.onnx"


def config(folder: Path, **changes: object) -> Config:
    """Returns a small table on MuJoCo."""
    small = Config(models=(CSF,), rungs=("mujoco",), episodes=4, seeds=(100,), folder=folder)
    return replace(small, **changes)


def test_an_episode_records_each_servo_period() -> None:
    policy = OnnxPolicy(Path(CSF))
    rung = SimulatedRung(policy.manifest, "mujoco")
    controller = ArmController(rung.arm, policy)
    rung.start(controller, 7)
    start = rung.arm.read()
    episode = run_episode(rung, controller, np.array([1.0, 0.0]), "skill", 20)
    assert episode.cube.shape == (21, 2)
    assert episode.end_effector.shape == (21, 3)
    assert episode.gap.shape == episode.force.shape == (160,)
    np.testing.assert_allclose(episode.cube[0], start.objects["cube"].position[:2])
    assert episode.gap[0] < 1e-6  # the arm begins on its set-point
    assert 0.001 < episode.gap.max() < 0.06
    assert episode.faults == ()
    assert (episode.mass, episode.friction) == (rung.mass, rung.friction)


def test_the_rungs_have_the_same_episodes(tmp_path: Path) -> None:
    pytest.importorskip("panda_gym", reason="panda-gym (extra `bullet`) is not installed")
    table = Table(config(tmp_path, rungs=("mujoco", "bullet")))
    table.run()
    rows = table.rows()
    assert [(row.entry.commands, row.entry.rung) for row in rows] == [
        ("skills", "mujoco"),
        ("skills", "bullet"),
        ("goals", "mujoco"),
        ("goals", "bullet"),
    ]
    for one, other in (rows[:2], rows[2:]):
        for first, second in zip(one.seeds[100], other.seeds[100], strict=True):
            assert (first.mass, first.friction) == (second.mass, second.friction)
            np.testing.assert_allclose(first.cube[0], second.cube[0], atol=1e-4)
    for row in rows:
        scores = row.scores()
        assert scores["faults"] == 0
        assert 0 < scores["gap_rms_mm"] < 30
        assert scores["force_max_n"] > 1


def test_the_hand_is_open_before_a_pick_and_closed_before_a_push() -> None:
    for policy, width in ((ScriptedPick(), 0.08), (OnnxPolicy(Path(CSF)), 0.0)):
        rung = SimulatedRung(policy.manifest, "mujoco")
        controller = ArmController(rung.arm, policy)
        rung.start(controller, 7)
        assert start_width(controller) == width
        assert rung.arm.read().gripper_width == pytest.approx(width, abs=3e-3)


def test_a_second_run_goes_on_with_the_missing_episodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    small = config(tmp_path, models=(PICK,), json=result)
    main(small)
    (path,) = tmp_path.glob("*.jsonl")
    whole = path.read_text().splitlines(keepends=True)
    path.write_text("".join(whole[:2]) + "".join(whole[4:]))  # without episodes 1 and 2
    main(replace(small, table=True))
    assert "| 2 of 4   |" in capsys.readouterr().out
    main(small)
    assert "| 4 of 4   |" in capsys.readouterr().out
    again = path.read_text().splitlines(keepends=True)
    numbers = [json.loads(line)["episode"] for line in again[1:]]
    assert numbers == [0, 3, 1, 2]
    (entry,) = json.loads(result.read_text())["entries"]
    assert entry["episodes"] == {"100": 4}
    assert len(entry["wilson_95"]["goal_share_5cm"]) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_its_table(tmp_path: Path, number: signal.Signals) -> None:
    words = ["--models", PICK, "--rungs", "mujoco", "--episodes", "400", "--seeds", "100"]
    command = [sys.executable, "-m", "benchmarks.arms.ladder", *words, "--folder", str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with child_process(command, **pipes) as process:
        deadline = time.monotonic() + DEADLINE_S
        while sum(len(path.read_text().splitlines()) for path in tmp_path.glob("*.jsonl")) < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 128 + number, errors
    assert errors.splitlines()[-1] == (
        f"interrupted by {number.name}; the next run goes on from here"
    )
    assert "of 400" in output


def test_another_speed_is_refused_by_name(tmp_path: Path) -> None:
    small = config(tmp_path, models=(PICK,))
    main(small)
    for table in (False, True):
        with pytest.raises(UsageError, match=r"speed 0\.8 in the file, 0\.5 in this run"):
            main(replace(small, speed=0.5, table=table))


def test_the_limit_of_time_ends_a_run_cleanly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(config(tmp_path, minutes=1e-9))
    printed = capsys.readouterr()
    assert "the time is over" in printed.err
    assert "| 0 of 4   |" in printed.out


@pytest.mark.parametrize("episodes", [0, -4, 2, 10, 20_000])
def test_episodes_that_do_not_fill_the_sets_are_refused(tmp_path: Path, episodes: int) -> None:
    with pytest.raises(UsageError, match=f"a positive multiple of 4 .* got {episodes}"):
        main(config(tmp_path, episodes=episodes))


def test_a_missing_policy_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no policy file models/none\.onnx"):
        main(config(tmp_path, models=("models/none.onnx",)))
