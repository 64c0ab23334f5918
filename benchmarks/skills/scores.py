"""How well do the shipped policies score, over several evaluation seeds?

    python -m benchmarks.skills.scores

The program runs the installed `skill-eval` once for each policy, start and seed. It prints one row
for each policy and start: the mean over the seeds, and the worst seed in brackets.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from benchmarks.lib.inputs import names_of
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveRange, Seeds, Some
from benchmarks.lib.report import print_table, seed_text, write_json

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
    """Scores of policies and baselines."""

    models: tuple[Path, ...] = (Path("models/csf_panda.onnx"), Path("models/metra_panda.onnx"))
    """Policy files."""
    baselines: tuple[Literal["iid", "constant", "ou", "still"], ...] = ()
    """Random baselines."""
    seeds: Seeds = tuple(range(100, 110))
    """Evaluation seeds; a model takes about 10 s of processor time per seed and start."""
    starts: Some[Literal["low", "high"]] = ("low",)
    """Starts; see `skill-eval --help`."""
    mass: PositiveRange | None = None
    """Range of the cube's mass [kg]; None for the training range."""
    friction: PositiveRange | None = None
    """Range of the friction coefficient; None for the training range."""
    json: Path | None = None
    """File of the result, as JSON, with the scores of each seed."""


def score(arguments: list[str]) -> Metrics:
    """Runs skill-eval once."""
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
    """Returns the name of each row, and its arguments without the seed."""
    subjects = [(name, ["--model", str(path)]) for name, path in names_of(config.models).items()]
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
    """Formats the mean and, if it differs, the worst seed in brackets."""
    values = [value for run in runs if (value := run.get(name)) is not None]
    if not values:
        return "-"
    worst = (max if name in HIGHER_IS_WORSE else min)(values)
    mean = format(sum(values) / len(values), form)
    return mean if mean == format(worst, form) else f"{mean} ({format(worst, form)})"


def main(config: Config) -> None:
    """Runs all evaluations, prints the table and writes the scores."""
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
    first = f"policy, start: mean (worst) over seeds {seed_text(config.seeds)}"
    print_table([first, *(title for title, _ in COLUMNS.values())], rows)
    write_json(config.json, {"seeds": list(config.seeds), "scores": record})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.skills.scores", description=__doc__)
