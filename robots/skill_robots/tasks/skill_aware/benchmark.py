"""The skill-aware benchmark: bring a cube to a goal at any mass and friction.

The Panda task of SaMI (Yu et al., "Skill-aware Mutual Information Optimisation for Zero-shot
Generalisation in Reinforcement Learning", NeurIPS 2024): panda-gym's pick-and-place with the goal
on the table, over a grid of table friction and cube mass. This module is independent of the engine:
cells, starts, success, and the evaluation.

Friction here is the benchmark's *label*: the table's Bullet coefficient. Bullet multiplies the
coefficients of both bodies, and the cube's is 0.5, so the effective cube-table coefficient is half
the label, up to a limit (:func:`~skill_robots.tasks.skill_aware.scenes.cube_table_friction`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from skill_proto.arrays import Array, Flags
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.skill_aware.scenes import (
    AREA_M,
    CUBE_REST_HEIGHT_M,
    FRICTIONS,
    MASSES,
    Contacts,
    SkillAwareScenes,
    Starts,
)

EPISODE_STEPS = 50
"""Control steps in an episode."""
SUCCESS_RADIUS_M = 0.05
"""Largest distance, in space, of the cube's centre from the goal for success [m]."""
LIFTED_HEIGHT_M = 0.021
"""Height of the cube's centre above which it counts as lifted or tilted [m]."""


MOTION_KINDS: tuple[str, ...] = ("push", "roll", "pick")
"""Kinds of motion, in ascending order; :func:`motion_kind` returns indices."""


@dataclass(frozen=True, order=True)
class Cell:
    """One point of the grid."""

    friction: float
    """The table's Bullet coefficient (the label)."""
    mass: float
    """Mass of the cube [kg]."""


def cell_name(cell: Cell) -> str:
    """Returns friction and mass, e.g. ``"0.1,1"``."""
    return f"{cell.friction:g},{cell.mass:g}"


TRAIN: tuple[Cell, ...] = tuple(
    Cell(friction, mass)
    for friction, mass in ((0.1, 1.0), (0.1, 5.0), (0.1, 10.0), (1.0, 1.0), (5.0, 1.0), (10.0, 1.0))
)
"""Training cells of the published agents."""
MODERATE: tuple[Cell, ...] = tuple(
    Cell(friction, mass) for friction in (1.0, 5.0, 10.0) for mass in (5.0, 10.0)
)
"""Cells whose friction and mass are each in TRAIN, but not their combination."""
EXTREME: tuple[Cell, ...] = tuple(
    Cell(friction, mass)
    for friction in FRICTIONS
    for mass in MASSES
    if friction == FRICTIONS[-1] or mass == MASSES[-1]
)
"""Cells with a friction or a mass that is not in TRAIN."""
SPLITS: dict[str, tuple[Cell, ...]] = {"train": TRAIN, "moderate": MODERATE, "extreme": EXTREME}
"""The published splits by name."""
CELLS: tuple[Cell, ...] = tuple(Cell(friction, mass) for friction in FRICTIONS for mass in MASSES)
"""The whole grid: 20 cells."""


def draw_starts(n: int, rng: np.random.Generator) -> Starts:
    """Draws ``n`` starts, the same for every engine."""
    return Starts(
        cube=rng.uniform(-AREA_M, AREA_M, (n, 2)), goal=rng.uniform(-AREA_M, AREA_M, (n, 2))
    )


@runtime_checkable
class ContextAware(Protocol):
    """A policy that is given the true context once an episode, after ``reset``."""

    def set_true_context(self, friction: Array, mass: Array) -> None:
        """Sets the true friction (label) and mass [kg] of every scene, each ``(n,)``."""
        ...


def success(cube: Array, goal: Array) -> Flags:
    """Returns whether cubes ``(..., 3)`` are at goals ``(..., 2)`` on the table."""
    height = np.full((*goal.shape[:-1], 1), CUBE_REST_HEIGHT_M)
    distance = np.linalg.norm(cube - np.concatenate([goal, height], axis=-1), axis=-1)
    return np.asarray(distance < SUCCESS_RADIUS_M)


def motion_kind(cube_height: Array, contacts: Contacts) -> NDArray[np.int64]:
    """Classifies the motion of each scene: ``(n,)`` indices into ``MOTION_KINDS``.

    The classes are those of the authors of SaMI. *pick*: a cube above 0.021 m that touches both
    fingers and not the table. *roll*: any other cube above 0.021 m. *push*: all other cubes.
    """
    lifted = cube_height > LIFTED_HEIGHT_M
    held = lifted & ~contacts.table & contacts.fingers.all(axis=1)
    return lifted.astype(np.int64) + held


# Evaluation -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """The scores of a policy."""

    success: dict[str, float]
    """Mean success over the cells of each split: train, moderate, extreme."""
    at_end: dict[str, float]
    """Share of episodes with the cube at the goal after the last step, by split. The published
    score also counts a cube that only passes the goal."""
    cells: dict[str, float]
    """Share of successful episodes by cell name."""
    labels: dict[str, dict[str, float]]
    """Share of episodes by cell name and kind of motion; see :func:`benchmark`."""
    episodes: int
    """Episodes per cell."""
    seed: int
    """Seed of the starts."""


StepHook = Callable[[SkillAwareScenes], None]
"""Called after each control step of a batch."""


def benchmark(
    policy: Policy,
    scenes: SkillAwareScenes,
    *,
    cells: Sequence[Cell] = CELLS,
    episodes: int = 50,
    seed: int = 0,
    on_step: StepHook | None = None,
) -> BenchmarkResult:
    """Runs the policy in every cell from the same starts.

    An episode succeeds if the cube is at the goal after any of its 50 steps, as published; one
    start in thirteen succeeds without any motion. The kind of motion of an episode is the highest
    of push < roll < pick until success or the end.

    Args:
        policy: observes ``OBSERVATION`` and takes goals ``(n, 2)``. A :class:`ContextAware`
            policy gets the true context.
        scenes: any number of scenes gives the same result.
        cells: the cells to run; a split is averaged over those of its cells that are listed.
        episodes: number of episodes per cell.
        seed: seed of the starts.
        on_step: called after each control step.
    """
    starts = draw_starts(episodes, np.random.default_rng([seed, 3]))
    solved = np.zeros(len(cells) * episodes, dtype=np.bool_)
    ended = np.zeros(len(cells) * episodes, dtype=np.bool_)
    kind = np.zeros(len(cells) * episodes, dtype=np.int64)
    friction = np.repeat([cell.friction for cell in cells], episodes)
    mass = np.repeat([cell.mass for cell in cells], episodes)
    for rows, real in _batches(len(solved), scenes.n):
        scenes.reset(starts.take(rows % episodes), friction[rows], mass[rows])
        policy.reset(scenes.n)
        if isinstance(policy, ContextAware):
            policy.set_true_context(friction[rows], mass[rows])
        found = _episode(policy, scenes, on_step)
        for kept, value in zip((solved, ended, kind), found, strict=True):
            kept[rows[:real]] = value[:real]
    shape = (len(cells), episodes)
    return _result(cells, solved.reshape(shape), ended.reshape(shape), kind.reshape(shape), seed)


def _batches(count: int, n: int) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yields rows to run together, ``n`` at a time, and the number of rows without padding."""
    for start in range(0, count, n):
        rows = np.arange(start, start + n)
        yield np.minimum(rows, count - 1), min(n, count - start)


def _episode(
    policy: Policy, scenes: SkillAwareScenes, on_step: StepHook | None
) -> tuple[Flags, Flags, NDArray[np.int64]]:
    """Runs an episode; returns success, success at the end, and the highest kind of motion."""
    done = np.zeros(scenes.n, dtype=np.bool_)
    kind = np.zeros(scenes.n, dtype=np.int64)
    for _ in range(EPISODE_STEPS):
        scenes.step(policy.act(scenes.observe(), goal=scenes.goal))
        cube = scenes.cube_position
        kind = np.where(done, kind, np.maximum(kind, motion_kind(cube[:, 2], scenes.contacts)))
        done |= success(cube, scenes.goal)
        if on_step is not None:
            on_step(scenes)
    return done, success(scenes.cube_position, scenes.goal), kind


def _result(
    cells: Sequence[Cell], solved: Flags, ended: Flags, kind: NDArray[np.int64], seed: int
) -> BenchmarkResult:
    names = [cell_name(cell) for cell in cells]
    return BenchmarkResult(
        success=_by_split(cells, solved),
        at_end=_by_split(cells, ended),
        cells=dict(zip(names, solved.mean(axis=1).tolist(), strict=True)),
        labels={
            name: {text: float(np.mean(row == number)) for number, text in enumerate(MOTION_KINDS)}
            for name, row in zip(names, kind, strict=True)
        },
        episodes=solved.shape[1],
        seed=seed,
    )


def _by_split(cells: Sequence[Cell], happened: Flags) -> dict[str, float]:
    rate = dict(zip(cells, happened.mean(axis=1).tolist(), strict=True))
    rates = {name: [rate[cell] for cell in split if cell in rate] for name, split in SPLITS.items()}
    return {name: float(np.mean(shares)) for name, shares in rates.items() if shares}
