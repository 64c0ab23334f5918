"""Coverage during training."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.discovery.curves import Curve, columns, print_curves, published


def curve(updates: list[float], cells: list[float]) -> Curve:
    steps = np.array(updates)
    return Curve(world="ant", updates=steps, env_steps=32 * steps, cells=np.array(cells))


def test_the_authors_curve_in_gradient_steps() -> None:
    assert published().at(100_000) == 511
    assert published().at(300_000) == 2010
    assert published().at(125_000) == 830
    assert published().at(600_000) is None


def test_the_table_ends_with_the_longest_run(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [curve([10_000, 20_000], [10, 20]), curve([10_000, 60_000], [10, 110])]
    assert columns(runs) == [11_000, 25_000, 50_000]
    assert columns([curve([500], [3])]) == [500]
    print_curves({"CSF": runs, "METRA": [curve([10_000, 60_000], [0, 50])]})
    first, _, *rows = capsys.readouterr().out.splitlines()
    assert [cell.strip() for cell in first.strip("|").split("|")][2:] == ["11", "25", "50"]
    assert [cell.strip() for cell in rows[0].strip("|").split("|")] == [
        "CSF",
        "2",
        "12 (11 to 12)",
        "40",
        "90",
    ]
