"""Trains policies with the trainers of others, exports them their way, serves and scores them.

    python -m benchmarks.serving.foreign [--goals 10] [--json FILE]

needs the extra ``foreign`` and takes about a minute of processor time. Each row is served by a real
skill-serve on the simulated Panda; the score is the distance of the end effector from random goals.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt
from benchmarks.lib.report import write_json
from benchmarks.serving.foreign import manifests, rsl, sb3
from benchmarks.serving.foreign.reach import HIGH, LOW
from benchmarks.serving.foreign.served import draw_goals, goal_distances, served

STEPS = 75
"""Control steps for each goal: 3 s."""

REACHED_M = 0.05
"""Success of panda-gym [m]."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line."""

    goals: PositiveInt = 10
    """Goals per policy."""
    json: Path | None = None
    """Write the rows to this file."""
    keep: Path | None = None
    """Keep the exported files and their manifests in this folder."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One exported file."""

    name: str
    exported_by: str
    make: Callable[[Path], None]
    fill_in: Callable[[dict[str, Any]], dict[str, Any]]


def make_sb3(path: Path) -> None:
    """Trains and exports the policy of Stable-Baselines3."""
    sb3.export(sb3.train(), path)


def make_rsl(path: Path) -> None:
    """Trains and exports the policy of rsl_rl, which prints its progress."""
    with contextlib.redirect_stdout(io.StringIO()):
        rsl.export(rsl.train(), path)


ROWS = (
    Row(
        name="reach_sb3",
        exported_by="Stable-Baselines3 PPO, torch.onnx.export as documented",
        make=make_sb3,
        fill_in=manifests.sb3_by_hand,
    ),
    Row(
        name="reach_rsl",
        exported_by="rsl_rl PPO with LSTM, export_policy_to_onnx",
        make=make_rsl,
        fill_in=manifests.rsl_by_hand,
    ),
)


def main(options: Options) -> None:
    """Prints one line per file."""
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for row in ROWS:
            path = folder / f"{row.name}.onnx"
            row.make(path)
            rows.append(_measure(path, row.exported_by, row.fill_in, options.goals))
        known = folder / "reach_rsl_mjlab.onnx"
        shutil.copy(folder / "reach_rsl.onnx", known)
        manifests.attach_metadata(known)
        exported_by = "the same file with the metadata of mjlab"
        rows.append(_measure(known, exported_by, manifests.metadata_by_hand, options.goals))
    write_json(options.json, {"rows": rows})


def _measure(path: Path, exported_by: str, fill_in: manifests.FillIn, goals: int) -> dict[str, Any]:
    lines = manifests.write_manifest(path, fill_in)
    model = onnx.load(path)
    with served(path) as client:
        distances = goal_distances(client, draw_goals(LOW, HIGH, goals, seed=100), STEPS)
        interventions = client.state().counters.get("governor", 0)
    row = {
        "file": path.stem,
        "exported_by": exported_by,
        "inputs": [node.name for node in model.graph.input],
        "outputs": [node.name for node in model.graph.output],
        "opset": next(each.version for each in model.opset_import if not each.domain),
        "lines_by_hand": lines,
        "goals": goals,
        "reached_share_5cm": float(np.mean(np.array(distances) <= REACHED_M)),
        "median_distance_m": float(np.median(distances)),
        "governor_interventions": interventions,
    }
    print(
        f"{row['file']}: {exported_by}; opset {row['opset']}, {lines} lines by hand, "
        f"{100 * row['reached_share_5cm']:.0f} % of {goals} goals within 5 cm, median "
        f"{100 * row['median_distance_m']:.1f} cm, {row['governor_interventions']} interventions",
        flush=True,
    )
    return row


if __name__ == "__main__":
    run_program(main, Options, prog="python -m benchmarks.serving.foreign", description=__doc__)
