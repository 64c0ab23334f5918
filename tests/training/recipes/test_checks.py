"""Settings without the intended effect are refused, and the message names the fix."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.context.objective import ContrastiveConfig
from skill_training.errors import ConfigError
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.goal.config import GoalConfig, GoalRunSettings, GoalSacConfig
from skill_training.recipes.goal.world import GoalTaskConfig
from skill_training.recipes.skill_aware.config import METHODS, BenchmarkConfig, BenchmarkRunSettings
from skill_training.recipes.skill_aware.world import SkillAwareTaskConfig


@pytest.mark.parametrize("kind", [GoalSacConfig, *METHODS.values()])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("discount", 1.0),
        ("demonstration_share", 3.0),
        ("imitation_weight", -1.0),
        ("initial_entropy_coefficient", -1.0),
        ("entropy_floor", -1.0),
        ("target_rate", 0.0),
        ("hindsight_share", 1.5),
    ],
)
def test_bounds_hold_for_settings_with_other_defaults(
    kind: type[ContextSacConfig], name: str, value: float
) -> None:
    with pytest.raises(ValidationError, match=name):
        kind(**{name: value})


def test_the_carried_share_is_between_0_and_1() -> None:
    with pytest.raises(ValidationError, match="carried_share"):
        GoalSacConfig(carried_share=7.0)


@pytest.mark.parametrize(
    ("algorithm", "task", "run", "message"),
    [
        ({"supervised": True, "knowledge": "told"}, {}, {}, "--goal.supervised trains the encoder"),
        (
            {"knowledge": "told", "encoder": EncoderConfig(size=1)},
            {},
            {},
            "--goal.encoder.size 1 is too small for mass and friction",
        ),
        ({}, {"scenes_per_task": 3}, {}, "not a multiple of --task.scenes-per-task 3"),
        ({}, {"scenes_per_task": 1}, {}, "is too small for ccm, which contrasts 2 or more"),
        ({}, {}, {"replay_capacity": 6000}, "--goal.contrastive.batch 128 is more than the 60"),
        ({}, {}, {"seed": 1001}, "--seed 1001 is a seed of the evaluation"),
    ],
)
def test_impossible_goal_runs_are_refused(
    algorithm: dict[str, Any], task: dict[str, Any], run: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        GoalConfig(
            algorithm=GoalSacConfig(**algorithm),
            task=GoalTaskConfig(**task),
            run=GoalRunSettings(**run),
        )


@pytest.mark.parametrize(
    ("method", "sampling", "task", "message"),
    [
        ("ccm", "saccm", {}, "--ccm.contrastive.sampling saccm is another method"),
        (
            "satesac",
            "satesac",
            {"contexts": "range", "scenes_per_task": 2},
            "satesac, which contrasts 4 or more",
        ),
    ],
)
def test_a_method_trains_under_its_own_name(
    method: str, sampling: str, task: dict[str, Any], message: str
) -> None:
    term: ContrastiveConfig = TypeAdapter(ContrastiveConfig).validate_python({"sampling": sampling})
    with pytest.raises(ConfigError, match=message):
        BenchmarkConfig(
            algorithm=METHODS[method](contrastive=term),
            task=SkillAwareTaskConfig(**task),
            run=BenchmarkRunSettings(),
        )
