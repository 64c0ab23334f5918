"""Tests of demonstrations by discovered skills."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.observation import layout
from skill_robots.tasks.skill_aware.benchmark import draw_starts
from skill_robots.tasks.skill_aware.mujoco_scenes import MujocoScenes
from skill_robots.tasks.skill_aware.scenes import OBSERVATION
from skill_training.errors import ConfigError
from skill_training.recipes.skill_aware.skill_demonstrator import CLOSED, SkillDemonstrator

N = 48


def distances(demonstrator: SkillDemonstrator | None) -> Array:
    """Returns the distances ``(N, 51)`` of light cubes from their goals; None does nothing."""
    starts = draw_starts(N, np.random.default_rng(3))
    with closing(MujocoScenes(N)) as scenes:
        scenes.reset(starts, np.ones(N), np.ones(N))
        seen = [scenes.cube_position[:, :2] - scenes.goal]
        for _ in range(50):
            action = np.zeros((N, 4))
            if demonstrator is not None:
                action = demonstrator.act(scenes.observe(), goal=scenes.goal)
            scenes.step(action)
            seen.append(scenes.cube_position[:, :2] - scenes.goal)
    return np.linalg.norm(np.stack(seen, axis=1), axis=-1)


def test_discovered_skills_bring_cubes_to_goals_on_the_arm_of_the_benchmark() -> None:
    still = (distances(None).min(axis=1) < 0.05).mean()
    moved = (distances(SkillDemonstrator(Path("csf_discovered_panda"))).min(axis=1) < 0.05).mean()
    assert still < 0.2
    assert moved > 0.35


def test_actions_are_the_displacements_of_the_policy_with_a_closed_gripper() -> None:
    demonstrator = SkillDemonstrator(Path("csf_panda"))
    observation = np.zeros((2, 23))
    observation[:, layout(OBSERVATION)["cube_quaternion"].start] = 1.0
    goal = np.array([[0.1, 0.0], [9.0, 0.0]])
    action = demonstrator.act(observation, goal=goal)
    assert action.shape == (2, 4)
    np.testing.assert_array_equal(action[:, 3], CLOSED)
    # The policy's step of 4 cm is four fifths of the benchmark's 5 cm.
    assert np.abs(action[:, :3]).max() <= 0.8
    # A goal outside of the policy's box is the nearest one inside.
    edge = demonstrator.act(observation, goal=np.array([[0.1, 0.0], [0.15, 0.0]]))
    np.testing.assert_allclose(action, edge, atol=1e-6)


@pytest.mark.parametrize("name", ["goal_panda", "saccm_panda", "csf_ant"])
def test_other_policies_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} cannot demonstrate: .*csf_discovered_panda"):
        SkillDemonstrator(Path(name))


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot demonstrate with nothing.onnx: .*skill-train"):
        SkillDemonstrator(Path("nothing.onnx"))
