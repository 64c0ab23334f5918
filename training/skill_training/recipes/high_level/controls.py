"""Controls of a trained high level: choices without training."""

from __future__ import annotations

import numpy as np
import torch

from skill_proto.arrays import Array
from skill_robots.worlds.downstream.config import GoalsConfig
from skill_robots.worlds.downstream.evaluation import Choose
from skill_robots.worlds.world import WorldSpec
from skill_training.algorithms.skills import sample_skills
from skill_training.recipes.high_level.config import HighConfig
from skill_training.recipes.high_level.low_level import LowLevel
from skill_training.recipes.policy_content import skill_towards


def random_skills(low_level: LowLevel, seed: int) -> Choose:
    """Returns choices from the prior of the skills."""
    generator = torch.Generator().manual_seed(seed)

    def choose(observation: Array) -> Array:
        skills = sample_skills(len(observation), low_level.skill_size, generator, low_level.kind)
        return skills.numpy().astype(np.float64)

    return choose


def zero_shot(config: HighConfig, low_level: LowLevel, spec: WorldSpec) -> Choose | None:
    """Returns the skill towards the goal in the representation of the skills.

    This is METRA's zero-shot goal reaching, with a new skill as often as a high level chooses one.

    Args:
        config: The run.
        low_level: The skills.
        spec: The description of the task.

    Returns:
        None if the task has no goals, or the policy file takes none for the same coordinates.
    """
    goal, session, coordinates = low_level.manifest.goal, low_level.session, spec.coordinates
    if not isinstance(config.task, GoalsConfig) or goal is None or session is None:
        return None
    names = tuple(f"{goal.field}.{component}" for component in goal.components)
    if coordinates is None or names != coordinates.names:
        return None
    places = spec.indices(coordinates.names)
    size = low_level.manifest.observation_size

    def choose(observation: Array) -> Array:
        seen = observation[:, :size]
        goals = observation[:, size:] + seen[:, places]
        return skill_towards(session, low_level.manifest, seen, goals)

    return choose
