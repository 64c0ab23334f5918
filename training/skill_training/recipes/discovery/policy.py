"""Builds the algorithm and the policy of a run of skill discovery from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.world import WorldSpec
from skill_training.algorithms.baselines.cic import Cic
from skill_training.algorithms.baselines.csd import Csd
from skill_training.algorithms.baselines.dads import Dads
from skill_training.algorithms.baselines.diayn import Diayn
from skill_training.algorithms.baselines.lsd import Lsd
from skill_training.algorithms.baselines.misl import Misl
from skill_training.algorithms.csf import Csf
from skill_training.algorithms.metra import Metra
from skill_training.algorithms.sac import SoftActorCritic
from skill_training.errors import ConfigError
from skill_training.export.skill_graph import GoalGraph, SkillGraph
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.pixels.representation import PixelRepresentation
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.manifest_parts import STOP_RADIUS_M

Algorithm = SoftActorCritic
Graph = SkillGraph | GoalGraph

KINDS: dict[str, Callable[..., SoftActorCritic]] = {
    "csf": Csf,
    "metra": Metra,
    "misl": Misl,
    "lsd": Lsd,
    "csd": Csd,
    "diayn": Diayn,
    "dads": Dads,
    "cic": Cic,
}
"""Class of each algorithm by its name."""

DIRECTIONAL = ("csf", "metra", "lsd", "csd")
"""Algorithms whose skills are directions of phi, so that the skill to a goal is known."""

STOP_SHARE = 1 / 3
"""Distance at which a policy stops at a goal, as a share of that at which the goal counts as
reached, in worlds other than the tabletop."""


@dataclass(frozen=True, kw_only=True)
class Goals:
    """The goals that a policy takes."""

    places: tuple[int, ...]
    """Observation entries whose value a goal gives."""
    stop_radius: float
    """Distance to the goal at which the action is zero, in the unit of the coordinates."""


def build_algorithm(
    config: SkillConfig, inputs: NetworkInputs, spec: WorldSpec, device: torch.device
) -> Algorithm:
    """Returns the algorithm with randomly initialised networks.

    Raises:
        ConfigError: the representation cannot map its inputs.
    """
    try:
        return KINDS[config.algorithm_name](
            config.algorithm,
            inputs=inputs,
            action_size=spec.action_size,
            device=device,
            seed=config.run.seed,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


def find_goals(config: SkillConfig, inputs: NetworkInputs, spec: WorldSpec) -> Goals | None:
    """Returns the goals of the policy; None if it takes none.

    A goal names a point of the world's coordinates. The skill that leads there is known if the
    representation sees all of them and the skills are directions. A policy that drives the gripper
    takes none: the zero action with which a policy stays at its goal lets go of a held cube.
    """
    if isinstance(config.task, TabletopConfig) and config.task.gripper:
        return None
    coordinates = spec.coordinates
    directional = config.algorithm_name in DIRECTIONAL and config.algorithm.skills == "sphere"
    if coordinates is None or not coordinates.goal_low or not directional:
        return None
    places = tuple(spec.indices(coordinates.names))
    if not set(places) <= set(inputs.seen):
        return None
    on_tabletop = isinstance(config.task, TabletopConfig)
    stop = STOP_RADIUS_M if on_tabletop else STOP_SHARE * coordinates.goal_radius
    return Goals(places=places, stop_radius=stop)


def build_graph(config: SkillConfig, algorithm: Algorithm, spec: WorldSpec) -> Graph:
    """Returns the policy for evaluation and export. It shares the algorithm's networks."""
    goals = find_goals(config, algorithm.inputs, spec)
    phi = algorithm.representation
    if goals is None or isinstance(phi, PixelRepresentation):
        return SkillGraph(algorithm.actor)
    return GoalGraph(algorithm.actor, phi, goals.places, goals.stop_radius)
