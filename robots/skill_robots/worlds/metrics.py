"""Metrics of skills and goals in any world that has coordinates.

Functions of several metrics leave undefined ones out, as those of the tabletop do.
"""

from __future__ import annotations

import math

import numpy as np

from skill_proto.arrays import Array, Ids
from skill_robots.tasks.tabletop.metrics import count_octants, defined, regressors, squared_errors
from skill_robots.worlds.rollouts import WorldTrajectories
from skill_robots.worlds.world import Coordinates


def skill_metrics(
    trajectories: WorldTrajectories, coordinates: Coordinates | None
) -> dict[str, float]:
    """Computes coverage and direction of one episode per skill.

    ``coverage_cells`` is the number of cells that all episodes visit at any step: for Ant the
    published number of unique 1 m cells of 48 skills (METRA, CSF). ``displacement_r2`` is adjusted
    for the number of skill dimensions, which that of the tabletop is not. It is left out if it is
    undefined, and without skills. The range of each coordinate is ``lowest_<i>`` to
    ``highest_<i>``. A world without coordinates has the return and the length of episodes alone.
    """
    episodes = {
        "mean_return": float(trajectories.returns.mean()),
        "mean_episode_steps": float(trajectories.steps.mean()),
    }
    return episodes if coordinates is None else _coverage(trajectories, coordinates) | episodes


def _coverage(trajectories: WorldTrajectories, coordinates: Coordinates) -> dict[str, float]:
    path = trajectories.coordinates
    from_start = path - path[:, :1]
    final = from_start[:, -1]
    distance = np.linalg.norm(final, axis=-1)
    metrics = {
        "coverage_cells": float(
            len(cells(from_start if coordinates.relative else path, coordinates))
        ),
        "median_displacement": float(np.median(distance)),
        "largest_displacement": float(distance.max()),
    }
    if trajectories.skills is not None and trajectories.skills.shape[1]:
        metrics["displacement_r2"] = displacement_r2(trajectories.skills, final)
    if path.shape[-1] == 2:
        metrics["octants"] = float(count_octants(final, 3.0 * coordinates.cell))
    for place in range(path.shape[-1]):
        metrics[f"lowest_{place}"] = float(path[..., place].min())
        metrics[f"highest_{place}"] = float(path[..., place].max())
    return defined(metrics)


def goal_metrics(trajectories: WorldTrajectories, radius: float) -> dict[str, float]:
    """Computes how long and how often episodes are at their goals.

    ``goal_staying_share`` is the share of all steps within ``radius``; times the episode length it
    is the staying time of CSF's figure 4. ``goal_reached_share`` counts episodes that were there at
    any step.

    Raises:
        ValueError: The trajectories have no goals.
    """
    if trajectories.goals is None:
        raise ValueError("these trajectories have no goals")
    offset = trajectories.coordinates[:, 1:] - trajectories.goals[:, None]
    distance = np.linalg.norm(offset, axis=-1)
    running = np.arange(distance.shape[1]) < trajectories.steps[:, None]
    there = (distance < radius) & running
    return {
        "goal_staying_share": float(there.mean()),
        "goal_staying_steps": float(there.sum(axis=1).mean()),
        "goal_reached_share": float(there.any(axis=1).mean()),
        "goal_mean_distance": float(distance[:, -1].mean()),
    }


def cells(points: Array, coordinates: Coordinates) -> Ids:
    """Returns the distinct cells ``(m, C)`` of points ``(..., C)``, sorted."""
    scaled = points / coordinates.cell
    whole = np.rint(scaled) if coordinates.centred else np.floor(scaled)
    return np.unique(whole.astype(np.int64).reshape(-1, points.shape[-1]), axis=0)


def displacement_r2(skills: Array, final: Array) -> float:
    """Returns the adjusted coefficient of determination of a linear fit from skill to displacement.

    Least squares with an intercept. The squared errors of all coordinates are pooled, so that the
    value does not depend on their axes. The adjustment, (1 - R2)(n - 1)/(n - k - 1), removes the
    bias of about k/n that makes fits of more skill dimensions look better. Returns 0 if all
    displacements are equal, and NaN if all skills are, or if there are no more episodes than
    coefficients.

    Args:
        skills: ``(n, Z)``.
        final: ``(n, C)``.
    """
    n, k = len(skills), regressors(skills)
    residual, total = map(np.sum, squared_errors(skills, final))
    if k == 0 or n - k - 1 <= 0:
        return math.nan
    if total < 1e-12:
        return 0.0
    return max(0.0, 1.0 - float(residual / total) * (n - 1) / (n - k - 1))
