"""The registry: every recipe is complete, and names are unique."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skill_training.config import TrainConfig
from skill_training.errors import TrainingError
from skill_training.recipes.recipe import AnyRecipe
from skill_training.recipes.registry import RECIPES, default_config, recipe_for, recipe_of


def test_names_are_unique() -> None:
    names = [name for recipe in RECIPES for name in recipe.config_types]
    assert len(names) == len(set(names))
    assert {"csf", "metra"} <= set(names)


@pytest.mark.parametrize("ask", [recipe_of, default_config])
def test_an_unknown_algorithm_is_refused_with_those_that_exist(
    ask: Callable[[str], object],
) -> None:
    with pytest.raises(TrainingError, match=r"no algorithm 'vic'; choose one of csf, metra, .*"):
        ask("vic")


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
