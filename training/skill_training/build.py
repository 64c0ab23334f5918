"""Builds the parts of a run from its configuration."""

from __future__ import annotations

from functools import partial

import torch

from skill_robots.observation import PUSH_OBSERVATION, layout, scales
from skill_robots.tasks.tabletop import Tabletop
from skill_training.algorithms.csf import Csf, CsfConfig
from skill_training.algorithms.metra import Metra
from skill_training.config import TrainConfig
from skill_training.errors import ConfigError
from skill_training.policy_graph import GoalGraph, Graph, SkillGraph

Algorithm = Csf | Metra

OBSERVATION = PUSH_OBSERVATION
"""What the policies trained here observe."""

STOP_RADIUS_M = 0.02
"""Distance to its goal within which a policy rests: about what a stopping cube still slides."""


def torch_device(name: str) -> torch.device:
    """The device of this name.

    Raises:
        ConfigError: CUDA is asked for and not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        reason = "this torch was built without CUDA" if torch.version.cuda is None else "none found"
        raise ConfigError(
            f"--device cuda: no CUDA device ({reason}); check nvidia-smi and the installed torch, "
            "or train with --device cpu"
        )
    return torch.device(name)


def build_algorithm(config: TrainConfig, device: torch.device) -> Algorithm:
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


def pushes_to_goals(config: TrainConfig) -> bool:
    """Whether goals can be given: the representation sees the cube's place on the table."""
    seen = config.algorithm.representation
    return seen.field == "cube_position" and tuple(seen.components) == (0, 1)


def build_graph(config: TrainConfig, algorithm: Algorithm) -> Graph:
    """The policy as it is evaluated and shipped; it shares the algorithm's networks."""
    if pushes_to_goals(config):
        return GoalGraph(algorithm.actor, algorithm.representation, STOP_RADIUS_M)
    return SkillGraph(algorithm.actor)
