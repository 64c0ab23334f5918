"""The evaluation of a policy in a world without an arm: coverage of skills, staying at goals."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.policy import Policy
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
from skill_robots.worlds.rollouts import WorldTrajectories
from skill_robots.worlds.trained import trained_config
from skill_robots.worlds.world import Coordinates, World
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.report import Outcome, film_errors, policy_facts
from skill_runtime.evaluation.world.checks import (
    check_picture,
    check_world,
    goal_count,
    goal_radius,
    set_of_skills,
    world_remarks,
)
from skill_runtime.evaluation.world.report import table, world_settings
from skill_runtime.policy import OnnxPolicy


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
    skills = set_of_skills(arguments, manifest)
    if arguments.video is not None and not len(skills):
        raise UsageError("--video: there is no skill to film")
    check_picture(arguments, spec)
    goals = goal_count(arguments, manifest, spec)
    steps = spec.episode_steps * ((len(skills) > 0) + (goals > 0))
    metrics: dict[str, float | None] = {}
    draw = None
    counted: dict[str, Any] = {"skills": len(skills), "goals": goals}
    with tqdm(total=steps, unit="step", desc="evaluating", disable=None, leave=False) as bar:
        on_step = partial(bar.update, 1)
        if len(skills):
            trajectories, coordinates = run_skills(policy, config, skills, arguments.seed, on_step)
            metrics |= _skill_scores(trajectories, coordinates, skills.shape[1])
            if coordinates is not None:
                draw = partial(_draw, trajectories.coordinates, skills, coordinates)
        if goals and manifest is not None and manifest.goal is not None:
            box = (manifest.goal.low, manifest.goal.high)
            counted["goal_radius"] = radius = goal_radius(manifest, spec)
            metrics |= evaluate_goals(
                policy, config, goals, arguments.seed, on_step, box=box, radius=radius
            )
    report = {
        **policy_facts(arguments, policy, manifest),
        "remarks": [] if manifest is None else world_remarks(manifest, spec),
        **counted,
        **world_settings(config, spec),
        "wall_time_s": round(time.monotonic() - started, 2),
    }
    return Outcome(
        table=table(report, metrics, "skills" if skills.shape[1] else "episodes"),
        content={**metrics, "settings": report},
        draw=None if draw is None else partial(draw, report),
        film=partial(_film, policy, config, skills, arguments.seed) if len(skills) else None,
    )


def _skill_scores(
    trajectories: WorldTrajectories, coordinates: Coordinates | None, skill_size: int
) -> dict[str, float | None]:
    """Returns the metrics; an undefined R2 is None."""
    found = skill_metrics(trajectories, coordinates)
    has_r2 = coordinates is not None and skill_size > 0
    undefined = {"displacement_r2": None} if has_r2 and "displacement_r2" not in found else {}
    return {**found, **undefined}


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
    config = replace(config, **changes)
    if arguments.cell is not None and not config.coordinates:
        raise UsageError(
            f"--cell: {world_name(config)} has no coordinates here, and so no cells; add "
            "--coordinates ENTRY ..., or leave it out"
        )
    return config


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


def _film(policy: Policy, config: WorldConfig, skills: Array, seed: int, path: Path) -> None:
    from skill_runtime.evaluation.film.episodes import film_world

    with film_errors(f"cannot make the film {path}"):
        film_world(policy, config, skills, seed, path)


def _check_film(world: World) -> None:
    """Refuses a film that cannot be made, before the evaluation."""
    from skill_runtime.evaluation.film.episodes import check_world_camera

    with film_errors("--video"):
        check_world_camera(world)


def _draw(
    drawn: Array, skills: Array, coordinates: Coordinates, report: dict[str, Any], path: Path
) -> None:
    from skill_runtime.evaluation.path_plot import save_paths

    heading = f"{report['policy']} in {report['world']}"
    names, unit = coordinates.names, coordinates.unit
    save_paths(drawn, skills, path, title=heading, names=names, unit=unit)
