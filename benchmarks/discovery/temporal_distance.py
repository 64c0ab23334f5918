"""Does phi keep the distance in time?

    python -m benchmarks.discovery.temporal_distance logs/csf/20260101-120000_seed0

METRA (Park et al., ICLR 2024, section 4.2) learns phi so that |phi(s) - phi(s')| is at most the
number of steps from s to s', and as large as skills make it. The program runs 48 skills and
compares |phi(s_t) - phi(s_t+k)| with k for all pairs of a rollout: their correlation, the slope of
a least-squares line, and the shares of transitions and of pairs within the bound. METRA enforces
the bound, CSF in expectation.

The picture has the paths of phi (its first two principal components, if it has more than two
dimensions) beside those of the world's coordinates, in one colour for each skill.

Phi comes from the checkpoint of a run directory, or from a policy file that takes goals.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.discovery.comparison.phi import NoPhiError, Phi, load_phi
from benchmarks.lib.figures import COLOURS, save, tidy
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seed
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array, Ids
from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.tabletop.rollouts import evaluation_skills
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.errors import UntrustedWorldError, WorldError
from skill_robots.worlds.evaluation import exact
from skill_robots.worlds.registry import WorldConfig, make_world
from skill_robots.worlds.trained import trained_config
from skill_robots.worlds.world import World
from skill_runtime.console.flags import UsageError
from skill_training.errors import TrainingError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.evaluation import nominal_task
from skill_training.run.directory import RunDirectory

BOUND = 1.0
"""Longest step of phi that METRA allows."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Distances of phi and of time."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|FILE")]
    """A finished run directory, or a policy file."""
    skills: PositiveInt = 48
    """Number of skills; each runs once."""
    seed: Seed = 100
    """Evaluation seed."""
    out: Path = Path("logs/discovery/temporal_distance.png")
    """The picture."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Rollouts:
    """Episodes of some skills."""

    phi: Array
    """``(n, steps + 1, d)``."""
    coordinates: Array
    """``(n, steps + 1, C)``; C may be 0."""
    alive: Ids
    """``(n,)`` number of states before the end of the episode, at most steps + 1."""


def roll_out(policy: Policy, phi: Phi, world: World, skills: Array) -> Rollouts:
    """Runs one episode of each skill ``(n, Z)`` in a scene of its own."""
    policy.reset(world.n)
    observation = world.reset()
    embedded, coordinates = [phi(observation)], [world.coordinates().copy()]
    running, alive = np.ones(world.n, dtype=np.bool_), np.ones(world.n, dtype=np.int64)
    for _ in range(world.spec.episode_steps):
        step = world.step(policy.act(observation, skill=skills))
        observation = step.observation
        embedded.append(phi(observation))
        coordinates.append(world.coordinates().copy())
        alive += running
        running &= ~step.ended
    return Rollouts(
        phi=np.stack(embedded, axis=1), coordinates=np.stack(coordinates, axis=1), alive=alive
    )


def pair_distances(rollouts: Rollouts) -> tuple[Array, Array]:
    """Returns the steps apart, and the distance of phi, of all pairs of states of one rollout."""
    steps, distances = list[Array](), list[Array]()
    for path, length in zip(rollouts.phi, rollouts.alive, strict=True):
        for apart in range(1, int(length)):
            found = np.linalg.norm(path[apart:length] - path[: length - apart], axis=-1)
            distances.append(found)
            steps.append(np.full(len(found), float(apart)))
    if not steps:
        return np.zeros(0), np.zeros(0)
    return np.concatenate(steps), np.concatenate(distances)


def measure(steps: Array, distances: Array) -> dict[str, float]:
    """Returns how well distances of phi keep the steps apart, ``(n,)`` each.

    The line of the slope has an intercept. An undefined number is 0.
    """
    if len(steps) < 2 or np.ptp(steps) == 0.0:
        raise UsageError("the episodes are too short; distances need at least three states")
    spread = distances.std()
    single = distances[steps == 1.0]
    return {
        "correlation": float(np.corrcoef(steps, distances)[0, 1]) if spread > 0.0 else 0.0,
        "slope": float(np.polyfit(steps, distances, 1)[0]),
        "mean_step": float(single.mean()),
        "transitions_within_1": float(np.mean(single <= BOUND)),
        "pairs_within_steps": float(np.mean(distances <= BOUND * steps)),
    }


def principal(phi: Array) -> Array:
    """Returns phi ``(n, T, d)`` from its start, in two dimensions: ``(n, T, 2)``."""
    moved = phi - phi[:, :1]
    size = phi.shape[-1]
    if size <= 2:
        return np.concatenate([moved, np.zeros((*moved.shape[:2], 2 - size))], axis=-1)
    flat = moved.reshape(-1, size)
    axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2]
    return moved @ axes[:2].T


def draw(rollouts: Rollouts, steps: Array, distances: Array, names: str, path: Path) -> None:
    """Draws the paths of phi and of the coordinates, and distance over steps."""
    figure = Figure(figsize=(11.0, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    flat = principal(rollouts.phi)
    _paths(left, flat, flat, rollouts.alive)
    tidy(left, "φ, from the start" if rollouts.phi.shape[-1] <= 2 else "φ, principal components")
    if rollouts.coordinates.shape[-1]:
        _paths(middle, rollouts.coordinates, flat, rollouts.alive)
        tidy(middle, names)
    else:
        middle.set_axis_off()
    apart = np.unique(steps)
    quartiles = np.array([np.quantile(distances[steps == k], [0.25, 0.5, 0.75]) for k in apart])
    right.fill_between(apart, quartiles[:, 0], quartiles[:, 2], color=COLOURS[0], alpha=0.25)
    right.plot(apart, quartiles[:, 1], color=COLOURS[0], linewidth=1.4, label="median, quartiles")
    right.plot(apart, apart, color="black", linewidth=0.9, linestyle="--", label="bound of METRA")
    right.set_ylim(0.0, 1.1 * max(float(quartiles.max()), 1e-9))
    right.set_xlabel("steps apart", fontsize="small")
    right.legend(frameon=False, fontsize="small")
    tidy(right, "|φ(s) - φ(s')|")
    save(figure, path)
    print(f"wrote {path}")


def _paths(axes: Axes, points: Array, phi: Array, alive: Ids) -> None:
    """Draws ``(n, T, C)`` points, coloured by the direction of the end of phi's path."""
    angle = np.arctan2(phi[:, -1, 1], phi[:, -1, 0]) / (2 * np.pi) % 1.0
    for path, length, hue in zip(points, alive, angle, strict=True):
        colour = colormaps["hsv"](float(hue))
        if points.shape[-1] == 1:
            axes.plot(path[:length, 0], color=colour, linewidth=0.9)
        else:
            axes.plot(path[:length, 0], path[:length, 1], color=colour, linewidth=0.9)
    if points.shape[-1] == 1:
        axes.set_xlabel("steps", fontsize="small")
    else:
        axes.set_aspect("equal", adjustable="datalim")


def find(source: Path) -> tuple[Path, WorldConfig]:
    """Returns policy file and world; exits with the reason if one is missing."""
    if not source.is_dir():
        return source, world_of(open_policy(source).manifest)
    run = RunDirectory(source)
    try:
        config = run.config()
    except TrainingError as error:
        raise UsageError(str(error)) from None
    if not isinstance(config, SkillConfig):
        raise UsageError(f"{source} holds a run of {config.algorithm_name}, which has no skills")
    if not run.policy.is_file():
        raise UsageError(
            f"the run in {source} has no policy yet; write one with: skill-train export {source} "
            f"--out {run.policy}"
        )
    task = config.task
    if isinstance(task, TabletopConfig):
        return run.policy, nominal_task(task)
    return run.policy, exact(task)


def world_of(manifest: PolicyManifest) -> WorldConfig:
    """Returns the world that a policy file names, if that imports no code of a stranger."""
    trained = manifest.world
    if trained is None:
        return TabletopConfig()
    try:
        return exact(trained_config(trained.name, trained.settings, manifest.name, is_named=False))
    except UntrustedWorldError as error:
        raise UsageError(f"{error}; give its run directory instead") from None
    except WorldError as error:
        raise UsageError(str(error)) from None


def main(config: Config) -> None:
    """Runs the skills, prints the numbers and draws the picture."""
    file, task = find(config.source)
    policy = open_policy(file)
    try:
        phi = load_phi(config.source)
        world = make_world(task, config.skills, seed=config.seed)
    except (NoPhiError, WorldError) as error:
        raise UsageError(str(error)) from None
    space = policy.manifest.skill
    skills = evaluation_skills(space.kind, space.size, config.skills, config.seed)
    try:
        rollouts = roll_out(policy, phi, world, skills)
    finally:
        world.close()
    steps, distances = pair_distances(rollouts)
    metrics = measure(steps, distances)
    print_table(
        ["policy", "world", "correlation", "slope", "|φ step|", "steps ≤ 1", "pairs ≤ steps"],
        [[policy.manifest.name, world.spec.name, *(f"{value:.3f}" for value in metrics.values())]],
    )
    write_json(config.json, {"source": str(config.source), "seed": config.seed, **metrics})
    coordinates = world.spec.coordinates
    names = "" if coordinates is None else f"{', '.join(coordinates.names)} [{coordinates.unit}]"
    draw(rollouts, steps, distances, names, config.out)


if __name__ == "__main__":
    prog = "python -m benchmarks.discovery.temporal_distance"
    run_program(main, Config, prog=prog, description=__doc__)
