"""Statistics of a column, as lerobot stores them for normalisation."""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import FloatArray

PERCENTILES = (1, 10, 50, 90, 99)


def statistics(values: FloatArray) -> dict[str, list[float] | list[int]]:
    """Returns minimum, maximum, mean, deviation, count and percentiles of ``(n, k)`` values.

    Each is a list of k numbers, but ``count``, which has one.
    """
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    found = {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": rows.mean(axis=0),
        "std": rows.std(axis=0),
    }
    quantiles = {f"q{p:02d}": np.percentile(rows, p, axis=0) for p in PERCENTILES}
    lists: dict[str, list[float] | list[int]] = {
        name: array.tolist() for name, array in (found | quantiles).items()
    }
    lists["count"] = [len(rows)]
    return lists
