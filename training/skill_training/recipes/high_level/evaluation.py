"""Scores of a high level on its task, and of choices without training beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.downstream.evaluation import score_task
from skill_robots.worlds.downstream.held_skills import HeldSkills
from skill_robots.worlds.evaluation import exact
from skill_robots.worlds.registry import WorldConfig
from skill_training.algorithms.high_level.kinds import AnyHighLevel
from skill_training.device import exact_matmul
from skill_training.nets.finite import check_action
from skill_training.recipes.discovery.evaluation import nominal_task
from skill_training.recipes.high_level.config import HighConfig
from skill_training.recipes.high_level.controls import random_skills, zero_shot
from skill_training.recipes.high_level.low_level import LowLevel
from skill_training.recipes.high_level.scenes import make_scenes, world_config
from skill_training.recipes.recipe import Scalars

EVALUATION_SEED = 100
"""Seed of starts, goals and random skills of the final scores."""

PROGRESS_SEED = 1000
"""The same of scores during training, on which settings may be chosen."""


def scored(world: WorldConfig) -> WorldConfig:
    """Returns the world of scores: the exact one, or the nominal tabletop of ``skill-eval``."""
    if isinstance(world, TabletopConfig):
        return replace(nominal_task(world), episode_steps=world.episode_steps)
    return exact(world)


class Evaluator:
    """Evaluates the high level in scenes of its own, with the integrator of published scores."""

    def __init__(self, config: HighConfig, low_level: LowLevel, algorithm: AnyHighLevel) -> None:
        self._config = config
        self._low_level = low_level
        self._algorithm = algorithm

    def quick(self) -> Scalars:
        """Returns the scores of a few episodes."""
        scenes = self._scenes(self._config.run.eval_episodes, PROGRESS_SEED)
        try:
            return score_task(scenes, self._mode)
        finally:
            scenes.close()

    def full(self) -> Scalars:
        """Returns the scores of many episodes, and those of the controls.

        ``random_...``: random skills. ``zero_shot_...``: the skills towards the goal.
        """
        scores: Scalars = {}
        with exact_matmul():
            scenes = self._scenes(self._config.run.final_eval_episodes, EVALUATION_SEED)
            choices = {
                "": self._mode,
                "random_": random_skills(self._low_level, EVALUATION_SEED),
                "zero_shot_": zero_shot(self._config, self._low_level, scenes.world.spec),
            }
            start = scenes.state_dict()
            try:
                for prefix, choose in choices.items():
                    if choose is not None:
                        scenes.load_state_dict(start)
                        found = score_task(scenes, choose)
                        scores |= {f"{prefix}{name}": value for name, value in found.items()}
            finally:
                scenes.close()
        return scores

    def _scenes(self, episodes: int, seed: int) -> HeldSkills:
        world = scored(world_config(self._config, self._low_level.manifest))
        return make_scenes(self._config, self._low_level, world, episodes, seed=seed)

    def _mode(self, observation: Array) -> Array:
        algorithm = self._algorithm
        inputs = torch.as_tensor(observation, dtype=torch.float32, device=algorithm.device)
        skill = algorithm.skill(algorithm.choose(inputs, deterministic=True))
        return check_action(skill.cpu().numpy().astype(np.float64), observation)
