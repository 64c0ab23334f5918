"""Algorithm, graph and manifest of a configuration of skill discovery, without training."""

from __future__ import annotations

import torch

from skill_proto.manifest import PolicyManifest
from skill_robots.worlds.registry import make_world
from skill_robots.worlds.world import WorldSpec
from skill_training.nets.inputs import NetworkInputs
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.inputs import network_inputs
from skill_training.recipes.discovery.manifest import build_manifest
from skill_training.recipes.discovery.policy import Algorithm, Graph, build_algorithm, build_graph
from skill_training.recipes.recipe import RunFacts


def seen_by(config: SkillConfig) -> tuple[NetworkInputs, WorldSpec]:
    """Returns what the networks see, and the description of the world."""
    spec = make_world(config.task, 1).spec
    return network_inputs(config.algorithm.representation, config.task, spec, 0), spec


def algorithm_of(config: SkillConfig, device: str = "cpu") -> Algorithm:
    """Returns the algorithm with random networks."""
    inputs, spec = seen_by(config)
    return build_algorithm(config, inputs, spec, torch.device(device))


def graph_of(config: SkillConfig, algorithm: Algorithm | None = None) -> Graph:
    """Returns the policy of an algorithm, of a new one by default."""
    return build_graph(config, algorithm or algorithm_of(config), seen_by(config)[1])


def manifest_of(config: SkillConfig, facts: RunFacts) -> PolicyManifest:
    """Returns the manifest."""
    return build_manifest(config, facts, *seen_by(config))
