"""The registry: every recipe is complete, and names are unique."""

from __future__ import annotations

import pytest

from skill_training.config import TrainConfig
from skill_training.recipes.recipe import AnyRecipe
from skill_training.recipes.registry import RECIPES, default_config, recipe_for, recipe_of


def test_names_are_unique() -> None:
    names = [name for recipe in RECIPES for name in recipe.config_types]
    assert len(names) == len(set(names))
    assert {"csf", "metra"} <= set(names)
    with pytest.raises(KeyError):
        recipe_of("vic")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_complete(recipe: AnyRecipe) -> None:
    assert set(recipe.summaries) == set(recipe.config_types)
    for name, settings in recipe.config_types.items():
        config = default_config(name)
        assert settings.name == name
        assert isinstance(config, TrainConfig)
        assert type(config.algorithm) is settings
        assert recipe_for(config) is recipe
        assert recipe.summaries[name].endswith(".")
        notes = recipe.card_notes(config)
        assert notes.limits.endswith("\n")
        assert all(text.endswith("\n") for text in notes.sections.values())
        assert not recipe.remarks(config)
    logged = ("eval/", "train/", "collect/")
    assert all(curve.name.startswith(logged) for curve in recipe.curves)
