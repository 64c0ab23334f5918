"""Area under the ROC curve: how well a score tells two kinds of scenes apart.

The area is the probability that a step outside scores higher than a step inside, ties counted half
(Mann and Whitney, "On a test of whether one of two random variables is stochastically larger than
the other", 1947; Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982).
Steps of one scene are alike, so the interval is from resampled scenes, not steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skill_proto.arrays import Array

RESAMPLES = 2000
"""Number of bootstrap samples."""


class Area(NamedTuple):
    """An area under the ROC curve."""

    area: float
    """0.5 is chance, 1 is perfect."""
    low: float
    """``low`` and ``high`` are the 95 % bootstrap interval."""
    high: float


def pairwise(inside: Array, outside: Array) -> Array:
    """Returns the area ``(m, n)`` of each scene outside against each scene inside.

    Args:
        inside: ``(n, S)`` scores; a row is a scene.
        outside: ``(m, S)`` scores.
    """
    areas = np.zeros((len(outside), len(inside)))
    for column, row in enumerate(np.sort(inside, axis=1)):
        higher = np.searchsorted(row, outside, side="left")
        not_lower = np.searchsorted(row, outside, side="right")
        areas[:, column] = (higher + not_lower).mean(axis=1) / (2.0 * len(row))
    return areas


def area(inside: Array, outside: Array) -> Area:
    """Returns the area over all steps of all scenes, with its interval.

    Args:
        inside: ``(n, S)`` scores; a row is a scene.
        outside: ``(m, S)`` scores.
    """
    areas = pairwise(inside, outside)
    rng = np.random.default_rng(0)
    m, n = areas.shape
    # How often each scene is in a resample; the mean of a resample is a weighted mean of the areas.
    rows = rng.multinomial(m, np.full(m, 1.0 / m), RESAMPLES) / m
    columns = rng.multinomial(n, np.full(n, 1.0 / n), RESAMPLES) / n
    means = np.einsum("rm,mn,rn->r", rows, areas, columns, optimize=True)
    low, high = np.quantile(means, [0.025, 0.975])
    return Area(float(areas.mean()), float(low), float(high))
