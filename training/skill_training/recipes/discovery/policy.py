"""Builds the algorithm and the policy of a run of CSF or METRA from its configuration."""

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
from skill_training.recipes.manifest_parts import STOP_RADIUS_M

Algorithm = Csf | Metra
Graph = SkillGraph | GoalGraph

OBSERVATION = PUSH_OBSERVATION
"""Observation fields of the policies trained here."""


def build_algorithm(config: SkillConfig, device: torch.device) -> Algorithm:
    """Returns the algorithm with randomly initialised networks.

    Raises:
        ConfigError: the observation has no such field or component for the representation.
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
    """Returns whether the policy takes goals: its representation sees the cube's x and y."""
    seen = config.algorithm.representation
    return seen.field == "cube_position" and tuple(seen.components) == (0, 1)


def build_graph(config: SkillConfig, algorithm: Algorithm) -> Graph:
    """Returns the policy for evaluation and export. It shares the algorithm's networks."""
    if pushes_to_goals(config):
        return GoalGraph(algorithm.actor, algorithm.representation, STOP_RADIUS_M)
    return SkillGraph(algorithm.actor)
