"""Settings without the intended effect are refused, and the message names the fix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_training.algorithms.context_sac_config import ContextSacConfig
from skill_training.config import RunSettings
from skill_training.context.objective import ContrastiveConfig
from skill_training.errors import ConfigError
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.checks import check_gradient_steps, check_tabletop
from skill_training.recipes.goal.config import GoalConfig, GoalRunSettings, GoalSacConfig
from skill_training.recipes.goal.world import GoalTaskConfig
from skill_training.recipes.registry import RECIPES, default_config, recipe_for
from skill_training.recipes.skill_aware.config import METHODS, BenchmarkConfig, BenchmarkRunSettings
from skill_training.recipes.skill_aware.world import SkillAwareTaskConfig


@pytest.mark.parametrize(
    ("steps", "warmup", "per_update", "enough"),
    [(400, 10_000, 32, 10_032), (10_000, 10_000, 1, 10_001), (60_000, 10_000, 90_000, 100_000)],
)
def test_a_run_without_a_gradient_step_is_refused(
    steps: int, warmup: int, per_update: int, enough: int
) -> None:
    run = RunSettings(
        env_steps=steps, warmup_steps=warmup, env_steps_per_update=per_update, n_envs=2
    )
    with pytest.raises(ConfigError, match=f"--env-steps {steps} leaves no .* {enough} or more"):
        check_gradient_steps(run, episode_steps=100)
    check_gradient_steps(replace(run, env_steps=enough), episode_steps=100)


def test_the_length_of_a_run_is_rounded_up_to_whole_rounds() -> None:
    run = RunSettings(env_steps=201, warmup_steps=300, env_steps_per_update=100, n_envs=2)
    check_gradient_steps(run, episode_steps=100)


@pytest.mark.parametrize("name", [name for recipe in RECIPES for name in recipe.config_types])
def test_every_recipe_refuses_a_run_without_a_gradient_step(name: str) -> None:
    config = default_config(name)
    short = replace(config, run=replace(config.run, env_steps=400, n_envs=8, warmup_steps=10**6))
    with pytest.raises(ConfigError, match="--env-steps 400 leaves no gradient step"):
        recipe_for(short).check(short)


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


@pytest.mark.parametrize(
    ("name", "interval", "text"),
    [
        ("mass", (1e20, 1e20), r"--task.mass 1e\+20 1e\+20 is beyond 0.001 to 100"),
        ("friction", (0.1, 11.0), "--task.friction 0.1 11 is beyond 0.001 to 10"),
        ("stiffness_scale", (1e-3, 1.0), "--task.stiffness-scale 0.001 1 is beyond 0.01 to 100"),
    ],
)
def test_a_range_that_cannot_be_simulated_is_refused(
    name: str, interval: tuple[float, float], text: str
) -> None:
    check_tabletop(TabletopConfig())
    with pytest.raises(ConfigError, match=text):
        check_tabletop(TabletopConfig(**{name: interval}))  # type: ignore[arg-type]  # one of three
