"""The description of a policy from CSF or METRA names the given part of its skill space."""

from __future__ import annotations

import pytest

from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.nets.representation import RepresentationConfig
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.manifest import description
from skill_training.recipes.discovery.recipe import SkillRecipe


def test_the_default_skills_are_directions_on_the_table() -> None:
    assert description(SkillConfig(algorithm=CsfConfig())) == (
        "Pushes a 4 cm cube in the direction that the skill names; trained with contrastive "
        "successor features (CSF) on a given representation: the cube's x and y, up to a "
        "learned scale and rotation."
    )
    assert "trained with METRA on" in description(SkillConfig(algorithm=MetraConfig()))


@pytest.mark.parametrize(
    ("representation", "words"),
    [
        (RepresentationConfig(form="linear"), "x and y, up to a learned linear map."),
        (RepresentationConfig(form="mlp"), "x and y, mapped by a learned network."),
        (
            RepresentationConfig(field="end_effector_position"),
            "end_effector_position.0, end_effector_position.1, up to a learned scale and rotation.",
        ),
    ],
)
def test_other_representations_are_named(representation: RepresentationConfig, words: str) -> None:
    config = SkillConfig(algorithm=CsfConfig(representation=representation))
    assert description(config).endswith(words)
    limits = SkillRecipe().card_notes(config).limits
    assert f"({representation.field}.0, {representation.field}.1) were chosen by hand" in limits
