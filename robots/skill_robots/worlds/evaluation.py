"""Scores of a policy in a world: coverage of its skills, and staying time at goals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skill_proto.arrays import Array
from skill_robots.tasks.policy import Policy
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.metrics import goal_metrics, skill_metrics
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_robots.worlds.registry import WorldConfig, make_world
from skill_robots.worlds.rollouts import OnStep, WorldTrajectories, world_rollouts
from skill_robots.worlds.varied.world import VariedConfig
from skill_robots.worlds.world import Coordinates


def exact(config: WorldConfig) -> WorldConfig:
    """Returns the world of published scores: a body with the integrator of its file.

    Its aids for training are off too, and an environment has no processes of its own.
    """
    if isinstance(config, GymnasiumConfig):
        return replace(config, processes=False)
    if isinstance(config, BodyConfig):
        return replace(config, integrator="file", restart_lying_after=None)
    if isinstance(config, VariedConfig):
        return replace(config, integrator="file")
    return config


def evaluate_skills(
    policy: Policy, config: WorldConfig, skills: Array, seed: int, on_step: OnStep | None = None
) -> dict[str, float]:
    """Runs one episode per skill ``(k, Z)`` and returns the metrics."""
    trajectories, coordinates = run_skills(policy, config, skills, seed, on_step)
    return skill_metrics(trajectories, coordinates)


def run_skills(
    policy: Policy, config: WorldConfig, skills: Array, seed: int, on_step: OnStep | None = None
) -> tuple[WorldTrajectories, Coordinates | None]:
    """Runs one episode per skill ``(k, Z)``; returns trajectories and coordinates."""
    world = make_world(config, len(skills), seed=seed)
    try:
        found = world_rollouts(policy, world, skills=skills, on_step=on_step)
        return found, world.spec.coordinates
    finally:
        world.close()


def evaluate_goals(
    policy: Policy,
    config: WorldConfig,
    count: int,
    seed: int,
    on_step: OnStep | None = None,
    *,
    box: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    radius: float | None = None,
) -> dict[str, float]:
    """Runs one episode per goal and returns the metrics.

    Args:
        policy: The policy.
        config: The world.
        count: Number of goals.
        seed: Seed of starts and goals.
        on_step: Called after each control step.
        box: Ends of the range from which goals are drawn uniformly; None for the world's.
        radius: Largest distance at which a goal counts as reached; None for the world's.

    Raises:
        ValueError: The world has no coordinates, or no goals and no box is given.
    """
    world = make_world(config, count, seed=seed)
    try:
        coordinates = world.spec.coordinates
        if coordinates is None or not (box or coordinates.goal_low):
            raise ValueError(f"{world.spec.title} has no goals")
        low, high = map(np.array, box or (coordinates.goal_low, coordinates.goal_high))
        goals = np.random.default_rng([seed, 2]).uniform(low, high, (count, len(low)))
        trajectories = world_rollouts(policy, world, goals=goals, on_step=on_step)
        return goal_metrics(trajectories, coordinates.goal_radius if radius is None else radius)
    finally:
        world.close()
