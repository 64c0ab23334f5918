"""Builds algorithm and policy of a skill-discovery run from its configuration."""

from __future__ import annotations

from functools import partial

import torch

from skill_robots.observation import PUSH_OBSERVATION, layout, scales
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_training.algorithms.csf import Csf, CsfConfig
from skill_training.algorithms.metra import Metra
from skill_training.errors import ConfigError
from skill_training.export.skill_graph import GoalGraph, SkillGraph
from skill_training.recipes.discovery.config import SkillConfig

Algorithm = Csf | Metra
Graph = SkillGraph | GoalGraph

OBSERVATION = PUSH_OBSERVATION
"""What the policies trained here observe."""

STOP_RADIUS_M = 0.02
"""Distance to its goal within which a policy rests: about what a stopping cube still slides."""


def build_algorithm(config: SkillConfig, device: torch.device) -> Algorithm:
    """The algorithm with freshly drawn networks.

    Raises:
        ConfigError: the representation asks for something the observation does not have.
    """
    settings = config.algorithm
    build = partial(Csf, settings) if isinstance(settings, CsfConfig) else partial(Metra, settings)
    try:
        return build(
            layout=layout(OBSERVATION),
            scale=scales(OBSERVATION).tolist(),
            action_size=Tabletop.action_size,
            device=device,
            seed=config.run.seed,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


def pushes_to_goals(config: SkillConfig) -> bool:
    """Whether goals can be given: the representation sees the cube's place on the table."""
    seen = config.algorithm.representation
    return seen.field == "cube_position" and tuple(seen.components) == (0, 1)


def build_graph(config: SkillConfig, algorithm: Algorithm) -> Graph:
    """The policy as it is evaluated and shipped; it shares the algorithm's networks."""
    if pushes_to_goals(config):
        return GoalGraph(algorithm.actor, algorithm.representation, STOP_RADIUS_M)
    return SkillGraph(algorithm.actor)
