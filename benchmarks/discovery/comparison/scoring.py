"""Scores of a policy file with one evaluation seed, on the tabletop or in another world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.discovery.comparison.phi import NoPhiError, load_phi, skills_in_plane, slopes
from benchmarks.lib.ranges import Count, PositiveInt
from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.observation import layout, scales
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.metrics import defined, goal_metrics, skill_metrics
from skill_robots.tasks.tabletop.rollouts import (
    evaluation_goals,
    evaluation_skills,
    goal_rollouts,
    skill_rollouts,
)
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_robots.tasks.tabletop.trajectories import Trajectories
from skill_robots.worlds.evaluation import evaluate_goals, evaluate_skills, exact
from skill_robots.worlds.metrics import displacement_r2
from skill_robots.worlds.registry import WorldConfig, make_world
from skill_runtime.evaluation.tabletop import EvaluationSettings, evaluate, tabletop_config
from skill_runtime.policy import OnnxPolicy
from skill_training.recipes.discovery.evaluation import nominal_task

STATES = 2048
"""Number of visited states over which the slopes of phi are averaged."""

PLANE = "plane_"
"""Prefix of the metrics of skills in the plane that phi gives the cube."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Number of rollouts of one evaluation seed."""

    skills: PositiveInt = 48
    """Skills in one set, spread evenly."""
    episodes: PositiveInt = 4
    """Sets of skills on the tabletop."""
    goals: Count = 128
    """Goals, for policies that take them; 0 skips them."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One evaluation."""

    policy: Path | None
    """Policy file; None for random actions."""
    world: WorldConfig
    seed: int
    extent: Extent


def score(job: Job) -> dict[str, float]:
    """Runs one evaluation and returns its metrics.

    Raises:
        PolicyFileError, UnsupportedPolicyError: the policy cannot be used.
    """
    if isinstance(job.world, TabletopConfig):
        if job.policy is None:
            return _score_random_on_tabletop(job, job.world)
        return _score_on_tabletop(job, job.policy)
    world = exact(job.world)
    if job.policy is None:
        probe = make_world(world, 1)
        probe.close()
        policy: Policy = make_baseline("iid", probe.spec.action_size, job.seed)
        return evaluate_skills(policy, world, np.zeros((job.extent.skills, 0)), job.seed)
    policy = OnnxPolicy(job.policy)
    space = policy.manifest.skill
    skills = evaluation_skills(space.kind, space.size, job.extent.skills, job.seed)
    metrics = evaluate_skills(policy, world, skills, job.seed)
    if job.extent.goals and policy.manifest.goal is not None:
        metrics |= evaluate_goals(policy, world, job.extent.goals, job.seed)
    return metrics


class _Recorder:
    """A policy that keeps the observations of its skills."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.visited: list[Array] = []

    def reset(self, n: int) -> None:
        self._policy.reset(n)

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        if goal is None:
            self.visited.append(observation.copy())
        return self._policy.act(observation, skill=skill, goal=goal)


def _score_random_on_tabletop(job: Job, trained: TabletopConfig) -> dict[str, float]:
    """Scores random actions with the masses, frictions and gripper of the trained rows."""
    task, extent = nominal_task(trained), job.extent
    policy = make_baseline("iid", Tabletop.action_size + int(task.gripper), job.seed)
    trajectories = skill_rollouts(
        policy,
        task,
        skills=evaluation_skills("sphere", 2, extent.skills, job.seed),
        episodes=extent.episodes,
        seed=job.seed,
        observation_names=task.observation_names,
    )
    metrics = _skill_scores(trajectories)
    if not extent.goals:
        return metrics
    towards_goals = goal_rollouts(
        policy,
        task,
        goals=evaluation_goals(extent.goals, job.seed),
        seed=job.seed,
        observation_names=task.observation_names,
    )
    return metrics | goal_metrics(towards_goals)


def _score_on_tabletop(job: Job, file: Path) -> dict[str, float]:
    extent = job.extent
    settings = EvaluationSettings(
        skills=extent.skills, episodes=extent.episodes, goals=extent.goals, seed=job.seed
    )
    policy = OnnxPolicy(file)
    recorder = _Recorder(policy)
    metrics = _metrics(recorder, policy.manifest, settings)
    try:
        phi = load_phi(file)
    except NoPhiError:
        return metrics
    states = _sample(np.concatenate(recorder.visited), job.seed)
    names = policy.manifest.observation_names
    jacobian = slopes(phi, states, _moves(names, "cube"))
    stretch = np.linalg.svd(jacobian, compute_uv=False)
    hand = np.linalg.svd(slopes(phi, states, _moves(names, "hand")), compute_uv=False)
    metrics |= {
        "slope_cube": float(stretch[0]),
        "slope_cube_second": float(stretch[1]) if len(stretch) > 1 else 0.0,
        "slope_hand": float(hand[0]),
    }
    if policy.manifest.skill.size > 2 and policy.manifest.skill.kind == "sphere":
        circle = evaluation_skills("sphere", 2, extent.skills, job.seed)
        trajectories = skill_rollouts(
            policy,
            tabletop_config(policy.manifest, settings),
            skills=skills_in_plane(jacobian, circle),
            episodes=extent.episodes,
            seed=job.seed,
            observation_names=names,
        )
        found = _skill_scores(trajectories)
        metrics |= {PLANE + name: value for name, value in found.items()}
    return metrics


def _metrics(
    policy: Policy, manifest: PolicyManifest, settings: EvaluationSettings
) -> dict[str, float]:
    result = evaluate(policy, manifest, settings)
    metrics = {name: value for name, value in result.metrics.items() if value is not None}
    return metrics if result.skills is None else metrics | _skill_scores(result.skills)


def _skill_scores(trajectories: Trajectories) -> dict[str, float]:
    return defined(skill_metrics(trajectories) | {"adjusted_r2": adjusted_r2(trajectories)})


def adjusted_r2(trajectories: Trajectories) -> float:
    """Returns R2 of a linear fit from skill to displacement, adjusted for the skill's size.

    It is NaN where ``displacement_r2`` of other worlds is.
    """
    final = trajectories.displacement[:, :, -1]
    skills = np.tile(trajectories.skills, (len(final), 1))
    return displacement_r2(skills, final.reshape(-1, 2))


def _sample(states: Array, seed: int) -> Array:
    chosen = np.random.default_rng([seed, 6]).permutation(len(states))[:STATES]
    return states[chosen].astype(np.float64)


def _moves(names: tuple[str, ...], moved: str) -> Array:
    """Returns the change of the observation per metre of the cube, or of the hand, ``(m, O)``.

    The cube moves in x and y, the hand in x, y and z. The vector between them follows.
    """
    places = layout(names)
    field, sign, axes = (
        ("cube_position", 1.0, 2) if moved == "cube" else ("end_effector_position", -1.0, 3)
    )
    directions = np.zeros((axes, len(scales(names))))
    for axis in range(axes):
        directions[axis, places[field].start + axis] = 1.0
        if "cube_from_end_effector" in places:
            directions[axis, places["cube_from_end_effector"].start + axis] = sign
    return directions
