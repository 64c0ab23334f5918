"""The kinds of runs of ``skill-train``. A new kind is registered here only."""

from __future__ import annotations

from skill_training.config import TrainConfig
from skill_training.errors import ConfigError
from skill_training.recipes.context.recipe import ContextRecipe
from skill_training.recipes.discovery.recipe import SkillRecipe
from skill_training.recipes.goal.recipe import GoalRecipe
from skill_training.recipes.high_level.recipe import HighRecipe
from skill_training.recipes.recipe import AnyRecipe
from skill_training.recipes.skill_aware.recipe import SkillAwareRecipe

RECIPES: tuple[AnyRecipe, ...] = (
    SkillRecipe(),
    HighRecipe(),
    GoalRecipe(),
    ContextRecipe(),
    SkillAwareRecipe(),
)
"""In the order of ``skill-train --help``."""


def recipe_of(name: str) -> AnyRecipe:
    """Returns the recipe of an algorithm.

    Raises:
        ConfigError: there is no such algorithm; the message lists those that exist.
    """
    recipes = {known: recipe for recipe in RECIPES for known in recipe.config_types}
    if name not in recipes:
        raise ConfigError(f"there is no algorithm {name!r}; choose one of {', '.join(recipes)}")
    return recipes[name]


def recipe_for(config: TrainConfig) -> AnyRecipe:
    """Returns the recipe that runs this configuration."""
    return recipe_of(config.algorithm_name)


def default_config(name: str, world: str | None = None, preset: str | None = None) -> TrainConfig:
    """Returns the configuration of ``skill-train <name>`` without other flags.

    Args:
        name: Name of the algorithm.
        world: Value of ``--world``.
        preset: Value of ``--preset``, which names its world.

    Raises:
        ConfigError: there is no such algorithm, or it has no such world or preset.
    """
    return recipe_of(name).default_config(name, world, preset)
