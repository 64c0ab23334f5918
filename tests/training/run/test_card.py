"""The card contains the content of the manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.discovery import manifest_of

from skill_proto.manifest import (
    ActionPart,
    Context,
    ContextEstimate,
    PolicyManifest,
    RecurrentState,
    SkillSpace,
)
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_training.errors import ExportError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.recipe import SkillRecipe
from skill_training.recipes.discovery.texts import METRIC_TEXTS
from skill_training.recipes.recipe import CardNotes
from skill_training.run.card import _action, card, write_card
from skill_training.run.config_io import shortest_command
from skill_training.run.policy_export import run_facts

TinyConfig = Callable[..., SkillConfig]

FACTS = {"code_revision": "0123abcd", "machine": "Linux, a processor", "versions": {"torch": "2.9"}}


def _manifest(config: SkillConfig, metrics: dict[str, float]) -> PolicyManifest:
    state = {
        "env_steps": 1_600_000,
        "updates": 49_687,
        "wall_time_s": 630.0,
        "final_metrics": metrics,
    }
    return manifest_of(config, run_facts(config, FACTS, state))


def _card(config: SkillConfig, metrics: dict[str, float]) -> str:
    return card(_manifest(config, metrics), SkillRecipe().card_notes(config))


def test_the_card_is_complete(tiny_config: TinyConfig) -> None:
    config = tiny_config(seed=2)
    text = _card(config, dict.fromkeys(METRIC_TEXTS, 0.12345))
    for fact in (
        "# csf_panda",
        f"`{shortest_command(config)}`",
        "| code revision | 0123abcd |",
        "| seed | 2 |",
        "| environment steps | 1,600,000 |",
        "| gradient steps | 49,687 |",
        "| wall time | 10.5 min |",
        "Linux, a processor",
        "torch 2.9",
        "| cube mass | 0.4 | 1.6 | kg |",
        "| cube table friction | 0.2 | 0.8 | 1 |",
        "## Limits of use",
        "Apache-2.0",
    ):
        assert fact in text
    for meaning in METRIC_TEXTS.values():
        assert f"| {meaning} | 0.1235 |" in text


def test_recurrent_state_and_context_are_described(tiny_config: TinyConfig) -> None:
    state = RecurrentState(name="lstm_h", shape=(64,), trained_horizon_steps=120)
    mass = ContextEstimate(name="cube_mass", unit="kg", log_r2=0.875)
    friction = ContextEstimate(name="cube_table_friction", unit="1", log_r2=-0.082)
    still = ContextEstimate(name="arm_stiffness", unit="1")
    manifest = _manifest(tiny_config(), {}).model_copy(
        update={
            "recurrent": (state,),
            "context": Context(size=6, estimates=(mass,), unidentified=(friction, still)),
            "skill": SkillSpace(kind="none", size=0),
        }
    )
    text = card(manifest, SkillRecipe().card_notes(tiny_config()))
    assert "| recurrent state | lstm_h [64], trained for 120 steps (stagger) |" in text
    assert "| context | 6 numbers |" in text
    assert "| estimate of cube mass | [kg], R2 of its logarithm 0.875 |" in text
    assert "| not estimated: cube table friction | " in text
    assert "R2 of its logarithm would be -0.082 |" in text
    assert "| not estimated: arm stiffness | constant or not positive in the held-out" in text
    assert "| skill |" not in text


def test_an_unfinished_run_has_no_metrics(tiny_config: TinyConfig) -> None:
    assert "Not evaluated: the run was not finished." in _card(tiny_config(), {})


def test_a_recipe_adds_its_own_sections(tiny_config: TinyConfig) -> None:
    notes = CardNotes(
        limits="- Only on Sundays.\n", metric_texts={}, sections={"Learned from": "One script.\n"}
    )
    text = card(_manifest(tiny_config(), {"octants": 8.0}), notes)
    assert "## Learned from\n\nOne script.\n\n## Limits of use\n\n- Only on Sundays.\n" in text
    assert "| octants | 8 |" in text


def test_a_card_that_cannot_be_written_is_an_error(tiny_config: TinyConfig, tmp_path: Path) -> None:
    manifest = _manifest(tiny_config(), {})
    notes = SkillRecipe().card_notes(tiny_config())
    with pytest.raises(ExportError, match="cannot write the card"):
        write_card(manifest, notes, tmp_path / "nowhere" / "policy.md")


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (
            {"name": "end_effector_displacement", "size": 3, "scale": 0.05, "unit": "m"},
            "end_effector_displacement (3), 0.05 m per step at 1, base frame",
        ),
        (
            {"name": "actuator_command", "size": 6, "scale": 1.0, "unit": "1"},
            "actuator_command (6), -1 to 1",
        ),
        (
            {"name": "actuator_command", "size": 2, "scale": 2.5, "unit": "N m"},
            "actuator_command (2), -2.5 to 2.5 N m",
        ),
        (
            {
                "name": "actuator_command",
                "size": 2,
                "scale": (5.0, 3.0),
                "offset": (5.0, -2.0),
                "unit": "1",
            },
            "actuator_command (2), 0 to 10; -5 to 1",
        ),
        (
            {"name": "gripper_width", "size": 1, "scale": 0.08, "unit": "m"},
            "gripper_width (1), 0 to 0.08 m",
        ),
    ],
)
def test_an_action_has_its_physical_value(part: dict[str, Any], text: str) -> None:
    assert _action(ActionPart(frame="base", **part)) == text


def test_limits_of_goals_are_those_of_a_policy_that_takes_goals(tiny_config: TinyConfig) -> None:
    config = tiny_config()
    assert "Goals end at x = 0.10 m" in _card(config, {})
    assert isinstance(config.task, TabletopConfig)
    for other in (
        replace(config, task=replace(config.task, gripper=True)),
        replace(config, algorithm=replace(config.algorithm, skills="one_hot")),
    ):
        assert _manifest(other, {}).goal is None
        limits = _card(other, {}).partition("## Limits of use")[2]
        assert "goals" not in limits.lower()
        assert "Pushes away from the base" in limits
