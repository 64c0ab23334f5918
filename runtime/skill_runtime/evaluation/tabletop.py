"""Scores a policy on the tabletop: rollouts and metrics, without command line or printing.

``tabletop_report`` is the same evaluation for skill-eval. Training and the benchmarks use this
module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.motion.gripper import names_width
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.engine import Engine
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.compatibility import check_fits_tabletop
from skill_robots.tasks.tabletop.metrics import goal_metrics, skill_metrics
from skill_robots.tasks.tabletop.rollouts import (
    GOAL_STEPS,
    evaluation_goals,
    evaluation_skills,
    goal_rollouts,
    skill_rollouts,
)
from skill_robots.tasks.tabletop.setpoint_audit import GOVERNED_SCENES, AuditFactory, SetpointAudit
from skill_robots.tasks.tabletop.tabletop import Interval, Tabletop, TabletopConfig
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories, Trajectories
from skill_runtime.policy.plant_remarks import usable_range

METRICS: dict[str, str] = {
    "moved_share_3cm": "episodes that end with the cube more than 3 cm from its start",
    "moved_share_10cm": "the same, more than 10 cm",
    "median_displacement_m": "median distance of the cube from its start at the end [m]",
    "displacement_cells_2cm": "2 cm cells of displacement that one set of skills visits",
    "octants": "number of the 8 compass sectors into which one set pushes cubes",
    "displacement_r2": "share of displacement that is linear in the skill (R2, not adjusted)",
    "direction_consistency": "one skill, other starts and contexts: same direction? (1 = yes)",
    "lifted_share": "episodes with the cube more than 3 cm up for the last half second",
    "height_cells_2cm": "2 cm bands of height that one set visits; 1: no cube leaves the table",
    "phi_singular_value_ratio": "smallest over largest stretch of the representation",
    "goal_share_5cm": "goals with the cube within 5 cm at the end",
    "goal_share_3cm": "the same, within 3 cm",
    "goal_mean_distance_m": "mean distance from the goal at the end [m]",
    "goal_rest_share_3cm_by_1600ms": "goals over 5 cm away: cube within 3 cm, at rest, after 1.6 s",
    "goal_rest_share_3cm_by_2400ms": "the same, after 2.4 s",
    "governor_interventions": (
        f"set-points beyond a limit (complete governor in {GOVERNED_SCENES} scenes a batch)"
    ),
}
"""Every metric and its meaning, in the order of the report."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """Number of rollouts, and the contexts in which they run."""

    skills: int = 48
    """Skills in one set."""
    episodes: int = 4
    """Sets of skills, each with its own starts and contexts."""
    goals: int = 128
    """Goals to push cubes to."""
    seed: int = 0
    """Seed of skills, goals, starts and contexts."""
    start: Literal["low", "high"] = "low"
    """Height of the hand at the start of an episode."""
    mass: Interval | None = None
    """Range of the cube's mass [kg]; None: the trained range."""
    friction: Interval | None = None
    """Range of the cube-table friction; None: the trained range."""
    threads: int = 1
    """Physics threads."""
    engine: Engine = "mujoco"
    """Physics engine of the plant."""


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """Metrics, and the rollouts behind them."""

    metrics: dict[str, float | None]
    """Every name in :data:`METRICS`; None if it is undefined, or the policy has no skills, goals,
    representation or gripper."""
    config: TabletopConfig
    """The evaluated tabletop."""
    skills: Trajectories | None
    goals: GoalTrajectories | None


def evaluate(
    policy: Policy,
    manifest: PolicyManifest | None,
    settings: EvaluationSettings,
    *,
    on_steps: Callable[[int], object] | None = None,
    make_audit: AuditFactory = SetpointAudit,
) -> EvaluationResult:
    """Runs skills and goals and computes the metrics.

    Args:
        policy: the policy to score.
        manifest: its manifest; None for a baseline, which gets skills on a circle and goals.
        settings: number of rollouts, and their contexts.
        on_steps: called after each step of a batch with its number of control steps.
        make_audit: makes the audit of the set-points of a batch of scenes.

    Raises:
        UnsupportedPolicyError: the policy cannot act on the tabletop.
        EngineMissingError: the physics engine is not installed.
    """
    if manifest is not None:
        check_fits_tabletop(manifest, gripper=True)
    config = tabletop_config(manifest, settings)
    names = PUSH_OBSERVATION if manifest is None else manifest.observation_names

    def on_step(scene: Tabletop) -> None:
        if on_steps is not None:
            on_steps(scene.n)

    skills: Trajectories | None = None
    if settings.skills and takes_skills(manifest):
        skills = skill_rollouts(
            policy,
            config,
            skills=set_of_skills(manifest, settings),
            episodes=settings.episodes,
            seed=settings.seed,
            observation_names=names,
            threads=settings.threads,
            on_step=on_step,
            make_audit=make_audit,
            engine=settings.engine,
        )
    goals: GoalTrajectories | None = None
    if settings.goals and takes_goals(manifest):
        goals = goal_rollouts(
            policy,
            config,
            goals=evaluation_goals(settings.goals, settings.seed),
            seed=settings.seed,
            observation_names=names,
            threads=settings.threads,
            on_step=on_step,
            make_audit=make_audit,
            engine=settings.engine,
        )
    return EvaluationResult(
        metrics=_metrics(manifest, skills, goals), config=config, skills=skills, goals=goals
    )


def takes_skills(manifest: PolicyManifest | None) -> bool:
    """Returns whether the policy can run without a goal."""
    return manifest is None or manifest.skill.size > 0 or manifest.goal is None


def takes_goals(manifest: PolicyManifest | None) -> bool:
    """Returns whether the policy takes goals for the cube's position in the table plane."""
    if manifest is None:
        return True
    goal = manifest.goal
    return goal is not None and (goal.field, goal.components) == ("cube_position", (0, 1))


def total_steps(manifest: PolicyManifest | None, settings: EvaluationSettings) -> int:
    """Returns the number of control steps, over all scenes, of :func:`evaluate`."""
    steps = TabletopConfig().episode_steps * settings.skills * settings.episodes
    total = steps if takes_skills(manifest) else 0
    return total + (GOAL_STEPS * settings.goals if takes_goals(manifest) else 0)


def tabletop_config(
    manifest: PolicyManifest | None, settings: EvaluationSettings
) -> TabletopConfig:
    """Returns the tabletop to evaluate on: the nominal arm, contexts as set or as trained."""
    default = TabletopConfig()
    return TabletopConfig(
        mass=settings.mass or _trained_range(manifest, "cube_mass") or default.mass,
        friction=settings.friction
        or _trained_range(manifest, "cube_table_friction")
        or default.friction,
        start=settings.start,
        gripper=manifest is not None and names_width(manifest),
    )


def set_of_skills(manifest: PolicyManifest | None, settings: EvaluationSettings) -> Array:
    """Returns one set of skills ``(k, Z)``; a baseline gets skills on a circle."""
    kind, size = ("sphere", 2) if manifest is None else (manifest.skill.kind, manifest.skill.size)
    return evaluation_skills(kind, size, settings.skills, settings.seed)


def _trained_range(manifest: PolicyManifest | None, name: str) -> Interval | None:
    return None if manifest is None else usable_range(manifest, name)


def _metrics(
    manifest: PolicyManifest | None, skills: Trajectories | None, goals: GoalTrajectories | None
) -> dict[str, float | None]:
    found: dict[str, float | None] = dict.fromkeys(METRICS)
    if skills is not None:
        found.update(skill_metrics(skills))
    if goals is not None:
        found.update(goal_metrics(goals))
    if manifest is not None and manifest.representation is not None:
        found["phi_singular_value_ratio"] = manifest.representation.singular_value_ratio
    runs = [run for run in (skills, goals) if run is not None]
    found["governor_interventions"] = sum(run.governor_interventions for run in runs)
    return found
