"""The evaluation of a policy in a world without an arm: coverage of skills, staying at goals."""

from __future__ import annotations

import textwrap
import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from skill_proto.arrays import Array
from skill_proto.manifest import GoalSpace, PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.rollouts import evaluation_skills
from skill_robots.worlds.errors import UntrustedWorldError, WorldError
from skill_robots.worlds.evaluation import evaluate_goals, exact, run_skills
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.metrics import skill_metrics
from skill_robots.worlds.registry import (
    ConfigWithSets,
    WorldConfig,
    default_config,
    make_world,
    world_name,
)
from skill_robots.worlds.trained import trained_config
from skill_robots.worlds.world import World, WorldSpec
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.report import Outcome, film_errors, identity, title
from skill_runtime.policy import OnnxPolicy

SKILLS, GOALS = 48, 128
"""Defaults: the number of skills in the papers, and that of goals in training's evaluation."""


def evaluate_world(arguments: EvaluationOptions) -> Outcome:
    """Runs skills and goals, as far as the policy takes them and the world has coordinates.

    Raises:
        UsageError, UnsupportedPolicyError, PolicyFileError, PolicyError: see each class.
    """
    started = time.monotonic()
    try:
        policy, manifest, config = _load(arguments)
        probe = make_world(config, 1)
    except WorldError as error:
        raise UsageError(str(error)) from None
    spec = probe.spec
    with closing(probe):
        if arguments.video is not None:
            _check_film(probe)
    if manifest is not None:
        check_world(manifest, spec)
    skills = _skills(arguments, manifest)
    if arguments.video is not None and not len(skills):
        raise UsageError("--video: there is no skill to film")
    goals = _goal_count(arguments, manifest, spec)
    steps = spec.episode_steps * ((len(skills) > 0) + (goals > 0))
    metrics: dict[str, float] = {}
    draw = None
    with tqdm(total=steps, unit="step", desc="evaluating", disable=None, leave=False) as bar:
        on_step = partial(bar.update, 1)
        if len(skills):
            trajectories, coordinates = run_skills(policy, config, skills, arguments.seed, on_step)
            metrics |= skill_metrics(trajectories, coordinates)
            unit = coordinates and coordinates.unit
            draw = partial(_draw, trajectories.coordinates, skills, unit)
        if goals:
            space = None if manifest is None else manifest.goal
            box = None if space is None else (space.low, space.high)
            radius = _radius(manifest, spec)
            metrics |= evaluate_goals(
                policy, config, goals, arguments.seed, on_step, box=box, radius=radius
            )
    report = identity(arguments, policy, manifest) | {
        "world": spec.name,
        "skills": len(skills),
        "goals": goals,
        "episode_steps": spec.episode_steps,
        **_hidden(config, spec),
        "wall_time_s": round(time.monotonic() - started, 2),
    }
    return Outcome(
        table=_table(report, metrics, "skills" if skills.shape[1] else "episodes"),
        content={**metrics, "settings": report},
        draw=None if draw is None else partial(draw, report),
        film=partial(_film, policy, config, skills, arguments.seed) if len(skills) else None,
    )


def check_world(manifest: PolicyManifest, spec: WorldSpec) -> None:
    """Checks that the policy fits the world.

    Raises:
        UnsupportedPolicyError: observation or action differ; the text names both.
    """
    for kind, trained, here in (
        ("observation", manifest.observation, spec.observation),
        ("action", manifest.action, spec.action),
    ):
        theirs = [(part.name, part.size) for part in trained]
        ours = [(part.name, part.size) for part in here]
        if theirs != ours:
            raise UnsupportedPolicyError(
                f"{manifest.name} has the {kind} {theirs}, but {spec.title} has {ours}; was it "
                "trained in another version of this world?"
            )


def _load(arguments: EvaluationOptions) -> tuple[Policy, PolicyManifest | None, WorldConfig]:
    if arguments.model is None:
        if arguments.world is None:
            raise UsageError("a baseline needs --world NAME here")
        config = _scored(exact(default_config(arguments.world)), arguments)
        one = make_world(config, 1)
        one.close()
        baseline = arguments.baseline or "still"
        return make_baseline(baseline, one.spec.action_size, arguments.seed), None, config
    policy = OnnxPolicy(arguments.model, device=arguments.device)
    trained = _trained_world(arguments, policy.manifest)
    return policy, policy.manifest, _scored(trained, arguments)


def _scored(config: WorldConfig, arguments: EvaluationOptions) -> WorldConfig:
    """Returns the world with the contexts and the coordinates of the command line."""
    if arguments.contexts is not None:
        if not isinstance(config, ConfigWithSets):
            raise UsageError(
                f"--contexts: {world_name(config)} has no sets of hidden quantities; leave it out"
            )
        config = replace(config, contexts=arguments.contexts)
    given = {"coordinates": arguments.coordinates, "cell": arguments.cell}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if not changes:
        return config
    if not isinstance(config, GymnasiumConfig):
        raise UsageError(
            f"--coordinates, --cell: {world_name(config)} has its own coordinates; leave them out"
        )
    return replace(config, **changes)


def _trained_world(arguments: EvaluationOptions, manifest: PolicyManifest) -> WorldConfig:
    """Returns the world of training, as published scores have it.

    A policy file is data: it must not choose which code this program imports. A world that is
    neither built in nor registered with Gymnasium must therefore be named on the command line.
    """
    trained = manifest.world
    assert trained is not None
    name = trained.name
    if arguments.world not in (None, name):
        raise UnsupportedPolicyError(
            f"{manifest.name} was trained in the world {name!r}, not in {arguments.world!r}; leave "
            "--world out"
        )
    is_named = arguments.world is not None
    try:
        config = trained_config(name, trained.settings, manifest.name, is_named=is_named)
    except UntrustedWorldError as error:
        raise UsageError(f"{error}; if you trust it, add: --world {name}") from None
    except WorldError as error:
        raise UnsupportedPolicyError(str(error)) from None
    return exact(config)


def _skills(arguments: EvaluationOptions, manifest: PolicyManifest | None) -> Array:
    count = SKILLS if arguments.skills is None else arguments.skills
    if manifest is None:
        return np.zeros((count, 0))
    space = manifest.skill
    if _takes_goals_alone(manifest):
        given = [
            f"--{name}"
            for name in ("skills", "plot", "video")
            if getattr(arguments, name) is not None
        ]
        if given:
            raise UsageError(
                f"{', '.join(given)}: {manifest.name} takes goals, no skills; leave "
                f"{'it' if len(given) == 1 else 'them'} out"
            )
        return np.zeros((0, 0))
    return evaluation_skills(space.kind, space.size, count, arguments.seed)


def _goal_count(
    arguments: EvaluationOptions, manifest: PolicyManifest | None, spec: WorldSpec
) -> int:
    if manifest is None or manifest.goal is None:
        if arguments.goals:
            name = "the baseline" if manifest is None else manifest.name
            raise UsageError(f"--goals: {name} takes no goals; leave it out")
        return 0
    count = GOALS if arguments.goals is None else arguments.goals
    if not count and _takes_goals_alone(manifest):
        raise UsageError(
            f"--goals 0: {manifest.name} takes goals, no skills, so that nothing would be scored; "
            "leave it out, or give a number of goals"
        )
    if count:
        _check_goals(manifest, manifest.goal, spec)
    return count


def _check_goals(manifest: PolicyManifest, goal: GoalSpace, spec: WorldSpec) -> None:
    """Refuses to score goals for other entries than the coordinates of the world."""
    names = tuple(f"{goal.field}.{component}" for component in goal.components)
    or_none = "" if _takes_goals_alone(manifest) else ", or add --goals 0"
    if spec.coordinates is None:
        raise UsageError(
            f"{spec.title} has no coordinates here, and {manifest.name} takes goals for "
            f"{', '.join(names)}; add --coordinates {' '.join(names)} if it is an environment of "
            f"Gymnasium{or_none}"
        )
    if spec.coordinates.names != names:
        raise UsageError(
            f"the coordinates of the score are {', '.join(spec.coordinates.names)}, but "
            f"{manifest.name} takes goals for {', '.join(names)}; leave --coordinates "
            f"out{or_none}"
        )


def _takes_goals_alone(manifest: PolicyManifest) -> bool:
    return manifest.skill.kind == "none" and manifest.goal is not None


def _radius(manifest: PolicyManifest | None, spec: WorldSpec) -> float | None:
    """Returns the distance at which a goal counts as reached; None for the world's.

    A policy that takes goals alone was trained to stay within the radius of its file. That of a
    policy with skills is only where it stops.
    """
    if manifest is None or manifest.goal is None:
        return None
    declares = spec.coordinates is not None and spec.coordinates.goal_radius > 0.0
    return None if declares and not _takes_goals_alone(manifest) else manifest.goal.stop_radius


def _hidden(config: WorldConfig, spec: WorldSpec) -> dict[str, Any]:
    """Returns the set of contexts and the ranges of the hidden quantities, for the report."""
    ranges = {one.name: (one.low, one.high) for one in spec.hidden}
    if not ranges:
        return {}
    found: dict[str, Any] = {"hidden": ranges}
    if isinstance(config, ConfigWithSets):
        found["contexts"] = config.contexts
    return found


def _hidden_lines(report: dict[str, Any]) -> list[str]:
    """Returns the lines of the table about hidden quantities."""
    ranges: dict[str, tuple[float | None, float | None]] = report.get("hidden", {})
    if not ranges:
        return []
    quantities = (
        name if low is None or high is None else f"{name} {low:g} to {high:g}"
        for name, (low, high) in ranges.items()
    )
    kind = f" ({report['contexts']})" if "contexts" in report else ""
    return textwrap.wrap(f"hidden{kind}: {', '.join(quantities)}", 96, subsequent_indent="  ")


def _table(report: dict[str, Any], metrics: dict[str, float], rollouts: str) -> str:
    """Returns the table; ``rollouts`` is the noun for those without a goal."""
    width = max(len(name) for name in metrics)
    lines = [
        title(report),
        f"{report['world']}: {report['skills']} {rollouts} of {report['episode_steps']} "
        f"steps, {report['goals']} goals, seed {report['seed']}, {report['wall_time_s']:.1f} s",
        *_hidden_lines(report),
        "",
    ]
    lines += [f"  {name:<{width}}  {value:>10.3f}" for name, value in metrics.items()]
    return "\n".join(lines)


def _film(policy: Policy, config: WorldConfig, skills: Array, seed: int, path: Path) -> None:
    from skill_runtime.evaluation.film.episodes import film_world

    with film_errors(f"cannot write the film {path}"):
        film_world(policy, config, skills, seed, path)


def _check_film(world: World) -> None:
    """Refuses a film that cannot be made, before the evaluation."""
    from skill_runtime.evaluation.film.episodes import check_world_camera

    with film_errors("--video"):
        check_world_camera(world)


def _draw(
    coordinates: Array, skills: Array, unit: str | None, report: dict[str, Any], path: Path
) -> None:
    from skill_runtime.evaluation.path_plot import save_paths

    if unit is None:
        raise UsageError(f"{report['world']} has no coordinates to draw")
    try:
        heading = f"{report['policy']} in {report['world']}"
        save_paths(coordinates, skills, path, title=heading, unit=unit)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write the picture {path}: {error}") from None
