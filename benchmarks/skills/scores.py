"""The score tables of docs/results.md: skill-eval over models, baselines and evaluation seeds.

Runs the installed `skill-eval` as a user would, once per model (or baseline), start and seed, and
prints one Markdown row each: the mean over the seeds, and the worst of them in brackets.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from tqdm import tqdm

from benchmarks.lib.report import print_table, write_json

Metrics = dict[str, float | None]

COLUMNS: dict[str, tuple[str, str]] = {
    "moved_share_3cm": ("> 3 cm", ".3f"),
    "moved_share_10cm": ("> 10 cm", ".3f"),
    "median_displacement_m": ("median m", ".3f"),
    "displacement_cells_2cm": ("cells", ".0f"),
    "octants": ("octants", ".1f"),
    "displacement_r2": ("R2", ".3f"),
    "direction_consistency": ("consistency", ".3f"),
    "phi_singular_value_ratio": ("sv ratio", ".2f"),
    "goal_share_5cm": ("goals 5 cm", ".3f"),
    "goal_share_3cm": ("goals 3 cm", ".3f"),
    "goal_mean_distance_m": ("goal dist m", ".3f"),
    "governor_interventions": ("governor", ".0f"),
}
HIGHER_IS_WORSE = {"goal_mean_distance_m", "governor_interventions"}


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to score."""

    models: tuple[Path, ...] = (Path("models/csf_panda.onnx"), Path("models/metra_panda.onnx"))
    """Policy files."""
    baselines: tuple[Literal["iid", "constant", "ou", "still"], ...] = ()
    """Random baselines to put below them."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Evaluation seeds."""
    starts: tuple[Literal["low", "high"], ...] = ("low",)
    """Starts; see `skill-eval --help`."""
    mass: tuple[float, float] | None = None
    """Range of the cube's mass [kg]; as trained unless given."""
    friction: tuple[float, float] | None = None
    """Range of the friction coefficient; as trained unless given."""
    json: Path | None = None
    """Where to write everything."""


def score(arguments: list[str]) -> Metrics:
    """One run of skill-eval."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = [
            str(Path(sys.executable).with_name("skill-eval")),
            *arguments,
            "--json",
            str(result),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\nfailed: {done.stderr.strip()}")
        return json.loads(result.read_text())


def jobs(config: Config) -> list[tuple[str, list[str]]]:
    """Name and arguments, without the seed, of every row."""
    subjects = [(path.stem, ["--model", str(path)]) for path in config.models]
    subjects += [(name, ["--baseline", name]) for name in config.baselines]
    extra: list[str] = []
    for flag, interval in (("--mass", config.mass), ("--friction", config.friction)):
        if interval is not None:
            extra += [flag, *map(str, interval)]
    return [
        (f"{name}, {start}", [*arguments, "--start", start, *extra])
        for start in config.starts
        for name, arguments in subjects
    ]


def cell(runs: list[Metrics], name: str, form: str) -> str:
    """Mean and, where they differ, the worst of the seeds."""
    values = [value for run in runs if (value := run.get(name)) is not None]
    if not values:
        return "-"
    worst = (max if name in HIGHER_IS_WORSE else min)(values)
    mean = format(sum(values) / len(values), form)
    return mean if mean == format(worst, form) else f"{mean} ({format(worst, form)})"


def main(config: Config) -> None:
    """Scores everything and prints the table."""
    rows: list[list[str]] = []
    record: dict[str, list[Metrics]] = {}
    work = jobs(config)
    with tqdm(total=len(work) * len(config.seeds), unit="run", disable=None) as progress:
        for name, arguments in work:
            runs: list[Metrics] = []
            for seed in config.seeds:
                runs.append(score([*arguments, "--seed", str(seed)]))
                progress.update()
            record[name] = runs
            rows.append([name, *(cell(runs, key, form) for key, (_, form) in COLUMNS.items())])
    print_table(["policy, start", *(title for title, _ in COLUMNS.values())], rows)
    write_json(config.json, {"seeds": list(config.seeds), "scores": record})


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
