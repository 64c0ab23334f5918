"""The tabletop evaluation for skill-eval: progress bar, table of metrics, picture of the pushes.

The evaluation itself is the module ``tabletop``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.rollouts import GOAL_STEPS
from skill_robots.tasks.tabletop.tabletop import Tabletop
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.report import Outcome, film_errors, identity, load, title
from skill_runtime.evaluation.tabletop import (
    METRICS,
    EvaluationResult,
    EvaluationSettings,
    evaluate,
    takes_goals,
    takes_skills,
    total_steps,
)


def evaluate_tabletop(arguments: EvaluationOptions) -> Outcome:
    """Runs skills and goals.

    Raises:
        UsageError, UnsupportedPolicyError, EngineMissingError, PolicyFileError, PolicyError: see
            each class.
    """
    started = time.monotonic()
    policy, manifest = load(arguments, Tabletop.action_size)
    settings = _settings(arguments, manifest)
    if arguments.video is not None:
        _check_film(settings)
    steps = total_steps(manifest, settings)
    with tqdm(total=steps, unit="step", desc="evaluating", disable=None, leave=False) as bar:
        result = evaluate(policy, manifest, settings, on_steps=bar.update)
    report = identity(arguments, policy, manifest) | _report(
        manifest, settings, result, time.monotonic() - started
    )
    return Outcome(
        table=_table(report, result.metrics),
        content={**result.metrics, "settings": report},
        draw=lambda path: _draw(path, report, result),
        film=lambda path: _film(path, policy, manifest, settings),
    )


def _settings(arguments: EvaluationOptions, manifest: PolicyManifest | None) -> EvaluationSettings:
    """Returns the settings of the command line; refuses an option that the policy cannot use."""
    if not takes_skills(manifest):
        for flag in ("skills", "episodes", "plot"):
            if getattr(arguments, flag) is not None:
                raise UsageError(
                    f"--{flag}: {_name(manifest)} takes goals, no skills; leave it out"
                )
    if not takes_goals(manifest) and arguments.goals:
        raise UsageError(f"--goals: {_name(manifest)} takes no goals for the cube; leave it out")
    if not takes_skills(manifest) and not takes_goals(manifest):
        raise UsageError(
            f"{_name(manifest)} takes goals for another quantity than the cube's position in the "
            "plane of the table, and no skills, so that nothing would be scored; run it with "
            "skill-serve"
        )
    if not takes_skills(manifest) and arguments.goals == 0:
        raise UsageError(
            f"--goals 0: {_name(manifest)} takes goals, no skills, so that nothing would be "
            "scored; leave it out, or give a number of goals"
        )
    default = EvaluationSettings()
    return EvaluationSettings(
        skills=default.skills if arguments.skills is None else arguments.skills,
        episodes=default.episodes if arguments.episodes is None else arguments.episodes,
        goals=default.goals if arguments.goals is None else arguments.goals,
        seed=arguments.seed,
        start=arguments.start or default.start,
        mass=arguments.mass,
        friction=arguments.friction,
        threads=arguments.threads or default.threads,
        engine=arguments.engine or default.engine,
    )


def _name(manifest: PolicyManifest | None) -> str:
    return "the baseline" if manifest is None else manifest.name


def _report(
    manifest: PolicyManifest | None,
    settings: EvaluationSettings,
    result: EvaluationResult,
    seconds: float,
) -> dict[str, Any]:
    """Returns the settings of this evaluation, for table and JSON."""
    return {
        "skills": settings.skills if takes_skills(manifest) else 0,
        "episodes": settings.episodes if takes_skills(manifest) else 0,
        "episode_steps": result.config.episode_steps,
        "goals": settings.goals if takes_goals(manifest) else 0,
        "goal_steps": GOAL_STEPS,
        "engine": settings.engine,
        "start": settings.start,
        "mass": list(result.config.mass),
        "friction": list(result.config.friction),
        "wall_time_s": round(seconds, 2),
    }


def _summary(report: dict[str, Any]) -> str:
    mass, friction = report["mass"], report["friction"]
    skills = f"{report['skills']} skills x {report['episodes']} episodes, "
    return (
        f"{skills if report['skills'] else ''}{report['goals']} goals, "
        f"{report['engine']}, seed {report['seed']}, {report['start']} start, "
        f"mass {mass[0]:g}-{mass[1]:g} kg, friction {friction[0]:g}-{friction[1]:g}"
    )


def _table(report: dict[str, Any], metrics: dict[str, float | None]) -> str:
    lines = [title(report), f"{_summary(report)}, {report['wall_time_s']:.1f} s", ""]
    width = max(len(name) for name in METRICS)
    lines += [
        f"  {name:<{width}}  {_number(metrics[name]):>8}  {meaning}"
        for name, meaning in METRICS.items()
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _film(
    path: Path, policy: Policy, manifest: PolicyManifest | None, settings: EvaluationSettings
) -> None:
    from skill_runtime.evaluation.film.episodes import film_tabletop

    with film_errors(f"cannot make the film {path}"):
        film_tabletop(policy, manifest, settings, path)


def _check_film(settings: EvaluationSettings) -> None:
    """Refuses a film that cannot be made, before the evaluation."""
    from skill_runtime.evaluation.film.episodes import check_tabletop_camera

    if not settings.skills and not settings.goals:
        raise UsageError("--video: there is neither a skill nor a goal to film")
    with film_errors("--video"):
        check_tabletop_camera()


def _draw(path: Path, report: dict[str, Any], result: EvaluationResult) -> None:
    from skill_runtime.evaluation.fan_plot import save_fan

    assert result.skills is not None  # _settings refuses --plot without skills
    save_fan(result.skills, path, title=report["policy"], subtitle=_summary(report))
