"""The kinds of runs that ``skill-train`` knows. A new one registers here and nowhere else."""

from __future__ import annotations

from skill_training.config import TrainConfig
from skill_training.recipes.discovery.recipe import SkillRecipe
from skill_training.recipes.goal.recipe import GoalRecipe
from skill_training.recipes.recipe import AnyRecipe
from skill_training.recipes.skill_aware.recipe import SkillAwareRecipe

RECIPES: tuple[AnyRecipe, ...] = (SkillRecipe(), GoalRecipe(), SkillAwareRecipe())
"""In the order of ``skill-train --help``."""


def recipe_of(name: str) -> AnyRecipe:
    """The recipe of the algorithm of this name.

    Raises:
        KeyError: there is none.
    """
    return {name: recipe for recipe in RECIPES for name in recipe.config_types}[name]


def recipe_for(config: TrainConfig) -> AnyRecipe:
    """The recipe that runs this configuration."""
    return recipe_of(config.algorithm_name)


def default_config(name: str) -> TrainConfig:
    """What ``skill-train <name>`` runs without flags.

    Raises:
        KeyError: there is no such algorithm.
    """
    return recipe_of(name).default_config(name)
