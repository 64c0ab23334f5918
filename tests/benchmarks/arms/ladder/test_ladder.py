"""The ladder runs the same episodes on every rung, and reports losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.arms.episodes import run_episode
from benchmarks.arms.ladder import Config, Entry, losses, main, run_policy
from benchmarks.arms.scripted_pick import PICK
from benchmarks.arms.simulated_rung import SimulatedRung

from skill_runtime.control.arm_controller import ArmController
from skill_runtime.policy import OnnxPolicy

CSF = "models/csf_panda.onnx"


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


def test_the_rungs_have_the_same_episodes() -> None:
    pytest.importorskip("panda_gym", reason="panda-gym (extra `bullet`) is not installed")
    config = Config(models=(CSF,), episodes=4, seeds=(100,))
    one, other = (run_policy(CSF, name, config) for name in ("mujoco", "bullet"))
    assert [entry.commands for entry in one] == [entry.commands for entry in other]
    assert [entry.commands for entry in one] == ["skills", "goals"]
    for entry in (*one, *other):
        assert entry.mean("faults") == 0
        assert 0 < entry.mean("gap_rms_mm") < 30
        assert entry.mean("force_max_n") > 1


def test_the_scripted_pick_runs_on_the_served_arm() -> None:
    (entry,) = run_policy(PICK, "mujoco", Config(episodes=2, seeds=(100,)))
    assert entry.commands == "goals"
    assert entry.mean("faults") == 0


def test_a_loss_of_more_than_three_points_is_named() -> None:
    def entry(rung: str, share: float) -> Entry:
        return Entry(policy="p", commands="goals", rung=rung, seeds=({"goal_share_5cm": share},))

    assert losses([entry("mujoco", 0.95), entry("bullet", 0.93)]) == []
    (text,) = losses([entry("mujoco", 0.95), entry("bullet", 0.9)])
    assert text == "p, goals: goal_share_5cm 0.950 on mujoco, 0.900 on bullet"


@pytest.mark.parametrize("episodes", [0, -4, 2, 10])
def test_episodes_that_do_not_fill_the_sets_are_refused(episodes: int) -> None:
    with pytest.raises(SystemExit, match=f"a positive multiple of 4, .* got {episodes}"):
        main(Config(episodes=episodes))
