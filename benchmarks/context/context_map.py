"""Which information do the contexts of a skill-aware policy contain?

    python -m benchmarks.context.context_map

The program runs a recurrent policy over all cells of the skill-aware benchmark and records its
context half-way through the episode and at the end. UMAP projects all contexts to the plane. The
three panels of the figure colour this projection by mass, by friction and by the kind of motion
(push, roll or pick). A projection can mislead, so a table shows how well mass, friction and kind
can be predicted from the contexts themselves.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.lib.figures import COLOURS, save, tidy
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt, Seed
from benchmarks.lib.report import print_table, write_json
from skill_proto.arrays import Array, Ids
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.engine import Engine, EngineMissingError
from skill_robots.tasks.skill_aware.benchmark import (
    CELLS,
    EPISODE_STEPS,
    MOTION_KINDS,
    draw_starts,
    motion_kind,
    success,
)
from skill_robots.tasks.skill_aware.compatibility import check_fits_skill_aware
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_robots.tasks.skill_aware.scenes import SkillAwareScenes
from skill_runtime.console.flags import UsageError
from skill_runtime.policy import OnnxPolicy

STEPS = (EPISODE_STEPS // 2, EPISODE_STEPS)
"""Steps of an episode at which the context is recorded."""
FOLDS = 5
"""Folds of the cross-validation over cells."""
RIDGE = 1e-3
"""Regularisation of the linear regression, on standardised contexts, per sample."""
NEIGHBOURS = 10
"""Number of neighbours that predict a label."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Contexts of a skill-aware policy, projected to the plane."""

    model: Path = Path("models/saccm_panda.onnx")
    """A policy of the skill-aware benchmark with a context encoder."""
    engine: Engine = "bullet"
    """bullet: the published benchmark. mujoco: its MuJoCo twin."""
    episodes: PositiveInt = 20
    """Episodes in each cell."""
    seed: Seed = 100
    """Evaluation seed of starts, folds and projection."""
    neighbors: PositiveInt = 30
    """UMAP's number of neighbours; a larger number preserves more of the global structure."""
    figure: Path = Path("build/contexts.png")
    """File of the figure."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """The recorded contexts; ``m`` is the number of episodes times the number of recorded steps."""

    context: Array
    """``(m, C)`` contexts."""
    step: Ids
    """``(m,)`` steps of the episode."""
    mass: Array
    """``(m,)`` masses [kg]."""
    friction: Array
    """``(m,)`` friction labels."""
    cell: Ids
    """``(m,)`` indices into CELLS."""
    kind: Ids
    """``(m,)`` indices into MOTION_KINDS: the highest up to that step, or until success."""


def gather(policy: OnnxPolicy, config: Config) -> Contexts:
    """Runs all cells, each from the same starts."""
    starts = draw_starts(config.episodes, np.random.default_rng([config.seed, 3]))
    scenes = make_scenes(config.engine, config.episodes)
    parts: list[Contexts] = []
    try:
        with tqdm(total=len(CELLS) * EPISODE_STEPS, unit="step", disable=None, leave=False) as bar:
            for number, cell in enumerate(CELLS):
                friction = np.full(config.episodes, cell.friction)
                mass = np.full(config.episodes, cell.mass)
                scenes.reset(starts, friction, mass)
                kept = _episodes(policy, scenes, friction, mass, bar.update)
                parts.append(replace(kept, cell=np.full(len(kept.step), number)))
    finally:
        scenes.close()
    columns = ("context", "step", "mass", "friction", "cell", "kind")
    return Contexts(**{c: np.concatenate([getattr(p, c) for p in parts]) for c in columns})


def _episodes(
    policy: OnnxPolicy,
    scenes: SkillAwareScenes,
    friction: Array,
    mass: Array,
    on_step: Callable[[], object],
) -> Contexts:
    policy.reset(scenes.n)
    done = np.zeros(scenes.n, dtype=np.bool_)
    kind = np.zeros(scenes.n, dtype=np.int64)
    contexts, kinds = list[Array](), list[Ids]()
    for step in range(1, EPISODE_STEPS + 1):
        output = policy.step(scenes.observe(), goal=scenes.goal)
        scenes.step(output.action.astype(np.float64))
        cube = scenes.cube_position
        kind = np.where(done, kind, np.maximum(kind, motion_kind(cube[:, 2], scenes.contacts)))
        done |= success(cube, scenes.goal)
        if step in STEPS:
            contexts.append(np.asarray(output.context, np.float64))
            kinds.append(kind)
        on_step()
    return Contexts(
        context=np.concatenate(contexts),
        step=np.repeat(STEPS, scenes.n),
        mass=np.tile(mass, len(STEPS)),
        friction=np.tile(friction, len(STEPS)),
        cell=np.zeros(len(STEPS) * scenes.n, dtype=np.int64),
        kind=np.concatenate(kinds),
    )


def linear_r2(context: Array, value: Array, cell: Ids, seed: int) -> float:
    """Returns the cross-validated R2 of a linear regression from the contexts.

    A fold holds out whole cells. Otherwise the regression could recognise the cell of a sample.
    """
    inputs = np.column_stack([(context - context.mean(0)) / (context.std(0) + 1e-8),
                              np.ones(len(context))])  # fmt: skip
    order = np.random.default_rng(seed).permutation(len(CELLS))
    fold = (order % FOLDS)[cell]
    estimate = np.empty_like(value)
    for held in range(FOLDS):
        fitted, unseen = inputs[fold != held], inputs[fold == held]
        ridge = RIDGE * len(fitted) * np.eye(fitted.shape[1])
        weights = np.linalg.solve(fitted.T @ fitted + ridge, fitted.T @ value[fold != held])
        estimate[fold == held] = unseen @ weights
    return float(1.0 - np.mean((estimate - value) ** 2) / np.var(value))


def neighbours_agree(context: Array, kind: Ids) -> float:
    """Returns the share of samples whose label is the most frequent one of their neighbours."""
    scaled = (context - context.mean(0)) / (context.std(0) + 1e-8)
    squared = (scaled**2).sum(1)
    distance = squared[:, None] + squared[None, :] - 2.0 * scaled @ scaled.T
    np.fill_diagonal(distance, np.inf)
    near = kind[np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]]
    votes = np.stack([(near == number).sum(1) for number in range(len(MOTION_KINDS))], axis=1)
    return float(np.mean(votes.argmax(axis=1) == kind))


def project(contexts: Contexts, config: Config) -> Array:
    """Returns UMAP's coordinates, ``(m, 2)``."""
    with warnings.catch_warnings():
        # umap warns that a seed disables its threads, and of deprecated names of numba.
        warnings.simplefilter("ignore")
        umap: Any = importlib.import_module("umap")
        reducer = umap.UMAP(n_neighbors=config.neighbors, random_state=config.seed, n_jobs=1)
        context = contexts.context
        return np.asarray(reducer.fit_transform((context - context.mean(0)) / context.std(0)))


def draw(contexts: Contexts, place: Array, path: Path) -> None:
    """Draws the projection in three panels; early contexts have small markers."""
    figure = Figure(figsize=(10.5, 3.5), layout="constrained")
    panels = list(figure.subplots(1, 3))
    for axes, name, values in (
        (panels[0], "mass [kg]", contexts.mass),
        (panels[1], "friction (label)", contexts.friction),
    ):
        norm = LogNorm(values.min(), values.max())
        levels = np.unique(values)
        _scatter(axes, contexts, place, c=values, cmap="viridis", norm=norm)
        bar = figure.colorbar(axes.collections[-1], ax=axes, ticks=levels.tolist(), shrink=0.8)
        bar.ax.set_yticklabels([f"{value:g}" for value in levels], fontsize="small")
        bar.ax.minorticks_off()
        tidy(axes, name)
    for number, (text, colour) in enumerate(zip(MOTION_KINDS, COLOURS, strict=False)):
        chosen = contexts.kind == number
        _scatter(panels[2], contexts, place, chosen=chosen, color=colour, label=text)
    panels[2].legend(*_legend(panels[2]), frameon=False, fontsize="small", markerscale=2)
    tidy(panels[2], "kind of motion")
    for axes in panels:
        axes.set_xticks([])
        axes.set_yticks([])
    early, late = STEPS
    figure.supxlabel(f"UMAP; small: step {early}, large: step {late}", fontsize="small")
    save(figure, path)


def _scatter(
    axes: Axes, contexts: Contexts, place: Array, chosen: NDArray[np.bool_] | None = None,
    **style: Any,  # noqa: ANN401  arguments of matplotlib
) -> None:  # fmt: skip
    for step, size in zip(STEPS, (4, 14), strict=True):
        rows = contexts.step == step
        if chosen is not None:
            rows &= chosen
        part = {**style, "c": style["c"][rows]} if "c" in style else style
        axes.scatter(*place[rows].T, s=size, alpha=0.75, linewidths=0, **part)


def _legend(axes: Axes) -> tuple[list[Any], list[str]]:
    """Returns handles and texts of the legend, each text once."""
    handles, texts = axes.get_legend_handles_labels()
    once = dict(zip(texts, handles, strict=True))
    return list(once.values()), list(once)


def main(config: Config) -> None:
    """Runs the policy, prints the table, writes the result and draws the figure."""
    if importlib.util.find_spec("umap") is None:
        raise UsageError("umap-learn is not installed; run: pip install 'skill-serve[figures]'")
    policy = open_policy(config.model)
    try:
        check_fits_skill_aware(policy.manifest)
        if policy.manifest.context is None:
            raise UsageError(
                f"{config.model} has no context encoder. Name a policy that has one, such as "
                "models/saccm_panda.onnx"
            )
        contexts = gather(policy, config)
    except (UnsupportedPolicyError, EngineMissingError) as error:
        raise UsageError(str(error)) from None
    rows: dict[str, list[float]] = {}
    for step in STEPS:
        at = contexts.step == step
        context, kind = contexts.context[at], contexts.kind[at]
        for name, value in (("mass", contexts.mass), ("friction", contexts.friction)):
            score = linear_r2(context, np.log(value[at]), contexts.cell[at], config.seed)
            rows.setdefault(f"R2 of log {name}, linear regression", []).append(score)
        agree = rows.setdefault(f"kind of motion, from the {NEIGHBOURS} nearest contexts", [])
        agree.append(neighbours_agree(context, kind))
        commonest = rows.setdefault("share of the most frequent kind", [])
        commonest.append(float(np.bincount(kind, minlength=len(MOTION_KINDS)).max() / len(kind)))
    print_table(
        ["prediction from the context", *(f"step {step}" for step in STEPS)],
        [[name, *(f"{value:.2f}" for value in values)] for name, values in rows.items()],
    )
    print(
        f"\n{config.model.name} on {config.engine}, {config.episodes} episodes in each cell, "
        f"evaluation seed {config.seed}"
    )
    write_json(config.json, {"model": config.model.name, "engine": config.engine, "read": rows})
    draw(contexts, project(contexts, config), config.figure)


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.context.context_map", description=__doc__)
