"""Rollouts: inputs of the policy, and recorded trajectories."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec
from skill_robots.motion.action import ActionConfig
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.tabletop import rollouts
from skill_robots.tasks.tabletop.rollouts import (
    evaluation_goals,
    evaluation_skills,
    goal_rollouts,
    skill_rollouts,
)
from skill_robots.tasks.tabletop.setpoint_audit import SetpointAudit
from skill_robots.tasks.tabletop.tabletop import TabletopConfig

SHORT = TabletopConfig(episode_steps=5)


class Recorder:
    """Zero actions; records its inputs."""

    def __init__(self) -> None:
        self.resets: list[int] = []
        self.observations: list[Array] = []
        self.skills: list[Array | None] = []
        self.goals: list[Array | None] = []

    def reset(self, n: int) -> None:
        self.resets.append(n)

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        self.observations.append(observation)
        self.skills.append(skill)
        self.goals.append(goal)
        return np.zeros((len(observation), 3))


def test_shapes_and_inputs_of_the_policy() -> None:
    policy = Recorder()
    skills = evaluation_skills("sphere", 2, 3, seed=0)
    names = ("cube_position", "setpoint_gap")
    run = skill_rollouts(policy, SHORT, skills=skills, episodes=2, seed=0, observation_names=names)
    assert run.cube.shape == (2, 3, 6, 2)
    assert run.end_effector.shape == (2, 3, 6, 3)
    assert run.mass.shape == run.friction.shape == (2, 3)
    assert policy.resets == [6]
    assert [item.shape for item in policy.observations] == [(6, 6)] * 5
    for given in policy.skills:
        assert given is not None
        assert (given == np.concatenate([skills, skills])).all()
    assert policy.goals == [None] * 5
    # The first observation is the start of the trajectory.
    assert policy.observations[0][:, :2] == pytest.approx(run.cube[:, :, 0].reshape(6, 2))


def test_starts_and_contexts_differ_between_episodes_and_stay_in_range() -> None:
    skills = evaluation_skills("sphere", 2, 4, seed=0)
    run = skill_rollouts(Recorder(), SHORT, skills=skills, episodes=3, seed=0)
    starts = run.cube[:, :, 0].reshape(-1, 2)
    assert len(np.unique(starts, axis=0)) == 12
    assert np.abs(starts).max() <= 0.10
    assert len(np.unique(run.mass)) == 12
    assert ((run.mass >= 0.4) & (run.mass <= 1.6)).all()
    assert ((run.friction >= 0.2) & (run.friction <= 0.8)).all()


def test_zero_actions_move_no_cube() -> None:
    skills = evaluation_skills("sphere", 2, 4, seed=0)
    run = skill_rollouts(Recorder(), SHORT, skills=skills, episodes=1, seed=0)
    assert np.abs(run.displacement).max() < 1e-3
    assert run.governor_interventions == 0


def test_the_seed_determines_the_rollout() -> None:
    def run(seed: int) -> Array:
        policy = make_baseline("iid", 3, seed=5)
        skills = np.zeros((4, 2))
        return skill_rollouts(policy, SHORT, skills=skills, episodes=1, seed=seed).cube

    assert (run(1) == run(1)).all()
    assert (run(1) != run(2)).any()


def test_batches_run_in_sequence_with_different_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollouts, "MAX_SCENES", 4)
    policy = Recorder()
    skills = evaluation_skills("sphere", 2, 5, seed=0)
    steps: list[int] = []
    run = skill_rollouts(
        policy,
        SHORT,
        skills=skills,
        episodes=2,
        seed=0,
        on_step=lambda scene: steps.append(scene.n),
    )
    assert policy.resets == [4, 4, 2]
    assert sum(steps) == 10 * SHORT.episode_steps
    assert run.cube.shape == (2, 5, 6, 2)
    assert len(np.unique(run.cube[:, :, 0].reshape(-1, 2), axis=0)) == 10
    given = np.concatenate([item for item in policy.skills[::5] if item is not None])
    assert (given == np.concatenate([skills, skills])).all()


def test_goals_are_passed_on_and_measured() -> None:
    policy = Recorder()
    goals = evaluation_goals(3, seed=0)
    run = goal_rollouts(policy, SHORT, goals=goals, seed=0, steps=7)
    assert len(policy.goals) == 7
    assert all((given == goals).all() for given in policy.goals)
    assert policy.skills == [None] * 7
    assert run.distance.shape == (3, 8)
    expected = np.hypot(*(run.cube[:, -1] - goals).T)
    assert run.final_distance == pytest.approx(expected)
    assert run.cube_speed.shape == (3, 8)


class Thrower(Recorder):
    """Moves down, then along -x."""

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        action = super().act(observation, skill=skill, goal=goal)
        action[:, 2 if len(self.goals) < 6 else 0] = -1.0
        return action


def test_the_recorded_speed_is_that_of_the_recorded_path() -> None:
    run = goal_rollouts(
        Thrower(), TabletopConfig(friction=(0.05, 0.05)), goals=np.zeros((8, 2)), seed=0
    )
    step = np.linalg.norm(np.diff(run.cube, axis=1), axis=2)
    assert step.max() > 0.01
    travelled = 0.04 * 0.5 * (run.cube_speed[:, 1:] + run.cube_speed[:, :-1]).sum(axis=1)
    assert travelled == pytest.approx(step.sum(axis=1), rel=0.15, abs=0.01)


def test_a_policy_without_skills_is_given_none() -> None:
    policy = Recorder()
    skill_rollouts(policy, SHORT, skills=np.zeros((2, 0)), episodes=1, seed=0)
    assert policy.skills == [None] * 5


def test_skills_on_the_circle_are_evenly_spaced_from_an_offset_of_the_seed() -> None:
    skills = evaluation_skills("sphere", 2, 48, seed=0)
    assert np.linalg.norm(skills, axis=1) == pytest.approx(np.ones(48))
    angle = np.unwrap(np.arctan2(skills[:, 1], skills[:, 0]))
    assert np.diff(angle) == pytest.approx(np.full(47, 2 * np.pi / 48))
    other = evaluation_skills("sphere", 2, 48, seed=1)
    assert not np.allclose(skills, other)
    assert (skills == evaluation_skills("sphere", 2, 48, seed=0)).all()


def test_skills_in_other_spaces() -> None:
    sphere = evaluation_skills("sphere", 5, 200, seed=0)
    assert np.linalg.norm(sphere, axis=1) == pytest.approx(np.ones(200))
    assert np.abs(sphere.mean(axis=0)).max() < 0.15
    one_hot = evaluation_skills("one_hot", 3, 7, seed=0)
    assert one_hot.argmax(axis=1).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert one_hot.sum() == 7
    assert evaluation_skills("none", 0, 4, seed=0).shape == (4, 0)


def test_goals_fill_the_square() -> None:
    goals = evaluation_goals(2000, seed=0)
    assert np.abs(goals).max() <= 0.15
    assert goals.min(axis=0) == pytest.approx([-0.15, -0.15], abs=0.002)
    assert goals.max(axis=0) == pytest.approx([0.15, 0.15], abs=0.002)


def test_every_batch_has_its_own_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollouts, "MAX_SCENES", 4)
    sizes: list[int] = []

    def make(
        spec: ArmSpec, actions: ActionConfig, period_s: float, setpoint: Array
    ) -> SetpointAudit:
        sizes.append(len(setpoint))
        return SetpointAudit(spec, actions, period_s, setpoint, governed=0)

    still = make_baseline("still", 3, 0)
    skills = evaluation_skills("sphere", 2, 3, seed=0)
    skill_rollouts(still, SHORT, skills=skills, episodes=2, seed=0, make_audit=make)
    goal_rollouts(still, SHORT, goals=evaluation_goals(3, 0), seed=0, steps=1, make_audit=make)
    assert sizes == [4, 2, 3]
