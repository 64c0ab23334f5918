"""Does a contrastive context learn more from larger batches, on fixed data?

    python -m benchmarks.context.log_k

An NCE objective with K candidates bounds the mutual information between context and task from below
by at most log K nats. The pairwise sigmoid form has no such ceiling. A goal policy records several
episodes of many tasks. Each objective then trains an encoder alone on these episodes, with each
batch size. A linear probe predicts log friction and log mass from the contexts of held-out tasks.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from benchmarks.context.encoder_only import EncoderRun, Inputs, Objective, predict
from benchmarks.context.goal_episodes import EPISODES_PER_TASK, collect
from benchmarks.context.goal_serving import check_takes_goals
from benchmarks.lib.figures import COLOURS, save, tidy
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Counts, PositiveInt, Seeds
from benchmarks.lib.report import print_table, seed_text, write_json
from skill_robots.observation import PUSH_OBSERVATION, scales
from skill_runtime.console.flags import UsageError
from skill_training.context.objective import ContrastiveConfig
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.export.calibration import log_r2
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.goal.world import GoalWorld

ENCODER = EncoderConfig(hidden=64)
"""The encoder of `skill-train goal`, at the default learning rate."""

INPUTS = Inputs(
    scale=scales(PUSH_OBSERVATION).tolist(),
    action_size=GoalWorld.action_size,
    centre=(-0.28, -1.17),
)
"""The centres are the means of log mass and log friction over the range of `skill-train goal`;
their standard deviations are 1.06 and 0.95."""

OBJECTIVES: dict[str, Objective] = {
    "SaNCE": ContrastiveConfig(sampling="saccm", loss="nce"),
    "InfoNCE": ContrastiveConfig(sampling="ccm", loss="nce"),
    "sigmoid": ContrastiveConfig(sampling="saccm", loss="sigmoid"),
    "truth": "truth",
}
"""SaNCE and the sigmoid form of the authors' release contrast good episodes of a task with bad
episodes of all tasks. InfoNCE contrasts pairs of one task with episodes of other tasks. ``truth``
is a regression on log mass and log friction, for comparison."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Objectives and batch sizes of an encoder that trains alone."""

    model: Path = Path("models/goal_panda.onnx")
    """Policy that records the episodes; it takes goals on the tabletop."""
    tasks: PositiveInt = 256
    """Training tasks; a task has one mass, one friction and 8 episodes."""
    held_out: PositiveInt = 64
    """Held-out tasks, for the probe."""
    batches: Counts = (16, 64, 256)
    """Episodes in a contrastive batch."""
    steps: PositiveInt = 2000
    """Gradient steps of each run."""
    seeds: Seeds = (0, 1, 2)
    """Training seeds of encoder and batches."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of the encoder."""
    figure: Path | None = Path("logs/log_k.png")
    """File of the figure; None draws no figure."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one run."""

    r2: tuple[float, float]
    """R2 of the probe on held-out tasks: log mass, log friction."""
    bound: float | None
    """Bound on the mutual information from held-out batches [nat]; None for the sigmoid form."""
    ceiling: float | None
    """Largest possible bound, log K [nat]."""
    cpu_seconds: float
    """Processor time of training and probe [s]."""


def measure(
    config: Config, train: Episodes, held_out: Episodes
) -> dict[str, dict[int, list[Outcome]]]:
    """Runs each objective with each batch size and seed."""
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
                    run = EncoderRun(
                        objective, ENCODER, INPUTS, batch=batch, seed=seed, device=device
                    )
                    run.train(replay, config.steps)
                    r2 = probe(run, train, held_out)
                    bound, ceiling = run.bound(unseen) or (None, None)
                    seconds = time.process_time() - started
                    outcomes.append(
                        Outcome(r2=r2, bound=bound, ceiling=ceiling, cpu_seconds=seconds)
                    )
                    bar.update()
    return found


def probe(run: EncoderRun, train: Episodes, held_out: Episodes) -> tuple[float, float]:
    """Returns R2 of log mass and log friction on held-out tasks, by ridge regression."""
    truth, expected = (
        part.truth[:, -1].cpu().numpy().astype(np.float64) for part in (train, held_out)
    )
    estimate = predict(run.contexts(train), truth, run.contexts(held_out))
    mass, friction = log_r2(expected, estimate)
    return mass, friction


def table(found: dict[str, dict[int, list[Outcome]]]) -> list[list[str]]:
    """Returns one row of the table for each objective and batch size."""
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
    """Draws three panels over the batch size: both R2, and the bound with its ceiling."""
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
        (certified, "bound [nat]"),
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
    """Draws means over the seeds, and the ranges."""
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
    """Measures, prints the table, writes the result and draws the figure."""
    torch.set_num_threads(1)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: this machine has no CUDA device; use --device cpu")
    if EPISODES_PER_TASK * min(config.tasks, config.held_out) < max(config.batches):
        raise UsageError(
            f"a batch of {max(config.batches)} episodes needs at least "
            f"{max(config.batches) // EPISODES_PER_TASK} training tasks and as many held-out "
            "tasks; raise --tasks and --held-out, or lower --batches"
        )
    policy = open_policy(config.model)
    check_takes_goals(policy)
    hidden = ENCODER.hidden
    train = collect(policy, config.tasks, hidden=hidden, seed=0, label="episodes")
    held_out = collect(policy, config.held_out, hidden=hidden, seed=10**6, label="held out")
    found = measure(config, train, held_out)
    print_table(
        ["objective", "batch", "R2 log friction", "R2 log mass", "bound nat", "log K", "CPU s"],
        table(found),
    )
    print(
        f"\n{config.tasks} training tasks and {config.held_out} held-out tasks, each with "
        f"{EPISODES_PER_TASK} episodes of {train.action.shape[1]} steps of {config.model.name}; "
        f"{config.steps} gradient steps on {config.device}, training seeds "
        f"{seed_text(config.seeds)}"
    )
    plain = {
        name: {
            str(batch): [asdict(outcome) for outcome in outcomes] for batch, outcomes in by.items()
        }
        for name, by in found.items()
    }
    write_json(config.json, {"tasks": config.tasks, "steps": config.steps, "runs": plain})
    if config.figure is not None:
        draw(found, config.figure)


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.context.log_k", description=__doc__)
