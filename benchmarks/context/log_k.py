"""Does a contrastive context learn more from larger batches? The log-K question, on fixed data.

An NCE objective with K candidates can certify at most log K nats of what a context knows of its
task; the pairwise sigmoid form has no such ceiling. A goal policy runs once on many tasks, several
episodes each; then nothing but an encoder is trained on those episodes, by each objective with each
batch, and a linear probe reads log friction and log mass from its contexts on tasks it never saw.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.context.encoder_only import ENCODER, Run, probe
from benchmarks.context.goal_episodes import EPISODES_PER_TASK, collect
from benchmarks.context.goal_serving import check_takes_goals
from benchmarks.lib.figures import COLOURS, save, tidy
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.report import print_table, write_json
from skill_training.context.objective import ContrastiveConfig
from skill_training.data.episodes import EpisodeReplay, Episodes

OBJECTIVES: dict[str, ContrastiveConfig | None] = {
    "SaNCE": ContrastiveConfig(sampling="saccm", loss="nce"),
    "InfoNCE": ContrastiveConfig(sampling="ccm", loss="nce"),
    "sigmoid": ContrastiveConfig(sampling="saccm", loss="sigmoid"),
    "truth": None,
}
"""SaNCE and the release's sigmoid form contrast good episodes of a task with bad ones of all;
InfoNCE pairs of a task with those of others. The last regresses what the probe reads: a bound."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Contrastive batch against objective, encoder only."""

    model: Path = Path("models/goal_panda.onnx")
    """Policy that collects the episodes: any that takes goals on the tabletop."""
    tasks: int = 256
    """Tasks to train on, of one mass and friction each, 8 episodes per task."""
    held_out: int = 64
    """Tasks to probe on."""
    batches: tuple[int, ...] = (16, 64, 256)
    """Episodes in a contrastive batch."""
    steps: int = 2000
    """Gradient steps of every run."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of encoder and batches."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the encoder trains."""
    figure: Path | None = Path("docs/images/log_k.png")
    """Where to draw it; None draws nothing."""
    json: Path | None = None
    """Where to write the result."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run."""

    r2: tuple[float, float]
    """Of log mass and log friction, linear, on held-out tasks."""
    bound: float | None
    """What the objective certifies on held-out batches [nat]; None for the sigmoid form."""
    ceiling: float | None
    """Its log K [nat]."""
    cpu_seconds: float


def measure(
    config: Config, train: Episodes, held_out: Episodes
) -> dict[str, dict[int, list[Outcome]]]:
    """Every objective with every batch, seed by seed."""
    device = torch.device(config.device)
    train, held_out = train.to(device), held_out.to(device)
    replay, unseen = EpisodeReplay(len(train), device), EpisodeReplay(len(held_out), device)
    replay.add(train)
    unseen.add(held_out)
    found: dict[str, dict[int, list[Outcome]]] = {}
    total = len(OBJECTIVES) * len(config.batches) * len(config.seeds)
    with tqdm(total=total, unit="run", disable=None, leave=False) as bar:
        for name, objective in OBJECTIVES.items():
            for batch in config.batches:
                outcomes = found.setdefault(name, {}).setdefault(batch, [])
                for seed in config.seeds:
                    started = time.process_time()
                    run = Run(objective, batch, seed, device)
                    run.train(replay, config.steps)
                    r2 = probe(run, train, held_out)
                    bound, ceiling = run.bound(unseen) or (None, None)
                    seconds = time.process_time() - started
                    outcomes.append(
                        Outcome(r2=r2, bound=bound, ceiling=ceiling, cpu_seconds=seconds)
                    )
                    bar.update()
    return found


def table(found: dict[str, dict[int, list[Outcome]]]) -> list[list[str]]:
    """A row per objective and batch."""
    rows: list[list[str]] = []
    for name, by_batch in found.items():
        for batch, outcomes in by_batch.items():
            r2 = np.array([outcome.r2 for outcome in outcomes])
            certified = [o.bound for o in outcomes if o.bound is not None]
            ceilings = [o.ceiling for o in outcomes if o.ceiling is not None]
            cells = [
                f"{r2[:, i].mean():.2f} ({r2[:, i].min():.2f}..{r2[:, i].max():.2f})"
                for i in (1, 0)
            ]
            nats = [f"{np.mean(values):.2f}" if values else "-" for values in (certified, ceilings)]
            seconds = np.mean([outcome.cpu_seconds for outcome in outcomes])
            rows.append([name, str(batch), *cells, *nats, f"{seconds:.0f}"])
    return rows


def draw(found: dict[str, dict[int, list[Outcome]]], path: Path) -> None:
    """Three panels over the batch: both R2, and the bound under its ceiling."""
    figure = Figure(figsize=(8.4, 2.7), layout="constrained")
    mass, friction, certified = figure.subplots(1, 3)
    for (name, by_batch), colour in zip(found.items(), COLOURS, strict=False):
        style = {"color": colour, "label": name}
        _line(mass, {n: [o.r2[0] for o in runs] for n, runs in by_batch.items()}, style)
        _line(friction, {n: [o.r2[1] for o in runs] for n, runs in by_batch.items()}, style)
        bounds = {n: _known([o.bound for o in runs]) for n, runs in by_batch.items()}
        ceilings = {n: _known([o.ceiling for o in runs]) for n, runs in by_batch.items()}
        if all(bounds.values()):
            _line(certified, bounds, style)
            certified.plot(list(ceilings), [values[0] for values in ceilings.values()], ":",
                           color=colour, linewidth=1.2)  # fmt: skip
    for axes, title in (
        (mass, "R² of log mass"),
        (friction, "R² of log friction"),
        (certified, "certified [nat]"),
    ):
        tidy(axes, title)
        axes.set_xscale("log", base=2)
        batches = list(next(iter(found.values())))
        axes.set_xticks(batches, [str(batch) for batch in batches])
    figure.supxlabel("episodes in a contrastive batch; dotted: log K", fontsize="small")
    mass.legend(frameon=False, fontsize="small")
    save(figure, path)


def _known(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _line(axes: Axes, values: dict[int, list[float]], style: dict[str, str]) -> None:
    """Means over the seeds, with their range."""
    batches, runs = list(values), list(values.values())
    means = [float(np.mean(numbers)) for numbers in runs]
    axes.plot(
        batches,
        means,
        "o-",
        linewidth=1.5,
        markersize=4,
        color=style["color"],
        label=style["label"],
    )
    lowest, highest = [min(numbers) for numbers in runs], [max(numbers) for numbers in runs]
    axes.vlines(batches, lowest, highest, color=style["color"])


def main(config: Config) -> None:
    """Measures, prints a table, draws, and writes the result where asked."""
    torch.set_num_threads(1)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: there is no CUDA device; take --device cpu")
    if EPISODES_PER_TASK * min(config.tasks, config.held_out) < max(config.batches):
        raise SystemExit(
            f"a batch of {max(config.batches)} needs {max(config.batches) // EPISODES_PER_TASK} "
            "tasks, held out too; raise --tasks and --held-out"
        )
    policy = open_policy(config.model)
    check_takes_goals(policy)
    hidden = ENCODER.hidden
    train = collect(policy, config.tasks, hidden=hidden, seed=0, label="episodes")
    held_out = collect(policy, config.held_out, hidden=hidden, seed=10**6, label="held out")
    found = measure(config, train, held_out)
    print_table(
        ["objective", "batch", "R2 log friction", "R2 log mass", "certified nat", "log K", "CPU s"],
        table(found),
    )
    print(
        f"\n{config.tasks} tasks of {EPISODES_PER_TASK} episodes of {train.action.shape[1]} steps "
        f"by {config.model.name}, {config.held_out} tasks held out; {config.steps} gradient steps "
        f"on {config.device}, seeds {', '.join(map(str, config.seeds))}"
    )
    if config.figure is not None:
        draw(found, config.figure)
    plain = {
        name: {
            str(batch): [asdict(outcome) for outcome in outcomes] for batch, outcomes in by.items()
        }
        for name, by in found.items()
    }
    write_json(config.json, {"tasks": config.tasks, "steps": config.steps, "runs": plain})


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
