"""Scores a policy on the tabletop: what `skill-eval` does, without its command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.policy_adapter import (
    SKILL_AWARE_TASK,
    PolicyAdapter,
    UnsupportedPolicyError,
)
from skill_robots.motion.setpoint_shaper import ShaperConfig
from skill_robots.observation import PUSH_OBSERVATION
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.metrics import goal_metrics, skill_metrics
from skill_robots.tasks.tabletop.rollouts import (
    GOAL_STEPS,
    evaluation_goals,
    evaluation_skills,
    goal_rollouts,
    skill_rollouts,
)
from skill_robots.tasks.tabletop.setpoint_audit import GOVERNED_SCENES, AuditFactory, SetpointAudit
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories, Trajectories

Interval = tuple[float, float]

METRICS: dict[str, str] = {
    "moved_share_3cm": "episodes that end with the cube more than 3 cm from its start",
    "moved_share_10cm": "the same, more than 10 cm",
    "median_displacement_m": "median distance of the cube from its start at the end [m]",
    "displacement_cells_2cm": "2 cm cells of displacement that one set of skills visits",
    "octants": "of 8 compass sectors, those that one set pushes cubes into",
    "displacement_r2": "share of displacement that is linear in the skill",
    "direction_consistency": "one skill, other starts and contexts: same direction? (1 = yes)",
    "phi_singular_value_ratio": "smallest over largest stretch of the representation",
    "goal_share_5cm": "goals with the cube within 5 cm at the end",
    "goal_share_3cm": "the same, within 3 cm",
    "goal_mean_distance_m": "mean distance from the goal at the end [m]",
    "goal_rest_share_3cm_by_1600ms": "goals over 5 cm away: cube within 3 cm, at rest, after 1.6 s",
    "goal_rest_share_3cm_by_2400ms": "the same, after 2.4 s",
    "governor_interventions": f"set-points beyond a limit ({GOVERNED_SCENES} scenes a batch: of any kind)",
}
"""Every metric and what it says, in the order of the report."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How much to run, and in which world."""

    skills: int = 48
    """Skills in one set."""
    episodes: int = 4
    """Sets, each with starts and contexts of its own."""
    goals: int = 128
    """Goals to push cubes to."""
    seed: int = 0
    """Of skills, goals, starts and contexts."""
    start: Literal["low", "high"] = "low"
    """Height of the hand at the start of an episode."""
    mass: Interval | None = None
    """Range of the cube's mass [kg]; None takes what the policy was trained on."""
    friction: Interval | None = None
    """Range of the cube-table friction; None takes what the policy was trained on."""
    threads: int = 1
    """Physics threads."""


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """Metrics, and the rollouts behind them."""

    metrics: dict[str, float | None]
    """Every name in :data:`METRICS`; None where the policy has no skills, goals or phi."""
    task: TabletopConfig
    skills: Trajectories | None
    goals: GoalTrajectories | None


def evaluate(
    policy: Policy,
    manifest: PolicyManifest | None,
    settings: EvaluationSettings,
    *,
    on_steps: Callable[[int], object] | None = None,
    watch: AuditFactory = SetpointAudit,
) -> EvaluationResult:
    """Runs skills and goals and computes the metrics.

    Args:
        policy: What acts.
        manifest: Of the policy; None for a baseline, which is given skills on a circle and goals.
        settings: How much and where.
        on_steps: Told the number of control steps, over all scenes, after each batch step.
        watch: Makes what tests the set-points of a batch of scenes.

    Raises:
        UnsupportedPolicyError: the policy cannot act on the tabletop.
    """
    if manifest is not None:
        check_fits_tabletop(manifest)
    task = task_for(manifest, settings)
    names = PUSH_OBSERVATION if manifest is None else manifest.observation_names

    def on_step(scene: Tabletop) -> None:
        if on_steps is not None:
            on_steps(scene.n)

    skills: Trajectories | None = None
    if settings.skills and takes_skills(manifest):
        skills = skill_rollouts(
            policy,
            task,
            skills=_skills(manifest, settings),
            episodes=settings.episodes,
            seed=settings.seed,
            observation_names=names,
            threads=settings.threads,
            on_step=on_step,
            watch=watch,
        )
    goals: GoalTrajectories | None = None
    if settings.goals and takes_goals(manifest):
        goals = goal_rollouts(
            policy,
            task,
            goals=evaluation_goals(settings.goals, settings.seed),
            seed=settings.seed,
            observation_names=names,
            threads=settings.threads,
            on_step=on_step,
            watch=watch,
        )
    return EvaluationResult(
        metrics=_metrics(manifest, skills, goals), task=task, skills=skills, goals=goals
    )


def takes_skills(manifest: PolicyManifest | None) -> bool:
    """Whether the policy can run without a goal."""
    return manifest is None or manifest.skill.size > 0 or manifest.goal is None


def takes_goals(manifest: PolicyManifest | None) -> bool:
    """Whether the policy can be sent to goals for the cube's position in the table plane."""
    if manifest is None:
        return True
    goal = manifest.goal
    return goal is not None and (goal.field, goal.components) == ("cube_position", (0, 1))


def total_steps(manifest: PolicyManifest | None, settings: EvaluationSettings) -> int:
    """Control steps, over all scenes, that :func:`evaluate` will take."""
    steps = TabletopConfig().episode_steps * settings.skills * settings.episodes
    total = steps if takes_skills(manifest) else 0
    return total + (GOAL_STEPS * settings.goals if takes_goals(manifest) else 0)


def task_for(manifest: PolicyManifest | None, settings: EvaluationSettings) -> TabletopConfig:
    """The tabletop to evaluate on: nominal arm, contexts as trained unless set otherwise."""
    default = TabletopConfig()
    return TabletopConfig(
        mass=settings.mass or _trained(manifest, "cube_mass") or default.mass,
        friction=settings.friction or _trained(manifest, "cube_table_friction") or default.friction,
        start=settings.start,
    )


def check_fits_tabletop(manifest: PolicyManifest) -> None:
    """Refuses a policy that would meet another plant here than the one it was trained on.

    Raises:
        UnsupportedPolicyError: names what does not fit.
    """
    if manifest.plant.task == SKILL_AWARE_TASK:
        raise UnsupportedPolicyError(
            f"{manifest.name} was trained on the skill-aware benchmark, whose arm is not the "
            "tabletop's; evaluate it with --task skill-aware"
        )
    if manifest.action_size != Tabletop.action_size:
        raise UnsupportedPolicyError(
            f"{manifest.name} has {manifest.action_size} actions, the tabletop takes "
            f"{Tabletop.action_size}: the displacement of the end effector"
        )
    driver = PolicyAdapter(PANDA, manifest, TabletopConfig().physics_step_s)
    trained, here = (driver.actions, driver.shaping), (ActionConfig(), ShaperConfig())
    if trained != here:
        raise UnsupportedPolicyError(
            f"{manifest.name} was trained with {trained}, the tabletop has {here}; "
            f"evaluate it on the plant it was trained on"
        )
    if manifest.control_rate_hz != Tabletop.control_rate_hz:
        raise UnsupportedPolicyError(
            f"{manifest.name} acts at {manifest.control_rate_hz:g} Hz, the tabletop at "
            f"{Tabletop.control_rate_hz:g} Hz"
        )


def _skills(manifest: PolicyManifest | None, settings: EvaluationSettings) -> Array:
    kind, size = ("sphere", 2) if manifest is None else (manifest.skill.kind, manifest.skill.size)
    return evaluation_skills(kind, size, settings.skills, settings.seed)


def _trained(manifest: PolicyManifest | None, name: str) -> Interval | None:
    seen = None if manifest is None else manifest.trained_on.get(name)
    return None if seen is None else (seen.low, seen.high)


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
