"""Statistics of a column, as lerobot stores them for normalisation."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import FloatArray

PERCENTILES = (1, 10, 50, 90, 99)

NAMES = ("min", "max", "mean", "std", *(f"q{p:02d}" for p in PERCENTILES))
"""The statistics of an entry."""


def statistics(values: FloatArray) -> dict[str, list[float] | list[int]]:
    """Returns minimum, maximum, mean, deviation, count and percentiles of ``(n, k)`` values.

    Each is a list of k numbers, but ``count``, which has one: the rows with a known number.
    A number that is not finite is not known, and has no effect; an entry without a known number has
    NaN.
    """
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    is_known = np.isfinite(rows)
    entries = [_of(column[known]) for column, known in zip(rows.T, is_known.T, strict=True)]
    found: dict[str, list[float] | list[int]] = {
        name: [entry[name] for entry in entries] for name in NAMES
    }
    found["count"] = [int(is_known.any(axis=1).sum())]
    return found


def _of(values: FloatArray) -> dict[str, float]:
    if not len(values):
        return dict.fromkeys(NAMES, float("nan"))
    found = (values.min(), values.max(), values.mean(), values.std())
    quantiles = np.percentile(values, PERCENTILES)
    return {name: float(x) for name, x in zip(NAMES, (*found, *quantiles), strict=True)}
