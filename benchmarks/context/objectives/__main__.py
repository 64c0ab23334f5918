"""When does an objective of a context encoder help?

    python -m benchmarks.context.objectives

Each objective of `skill-train context` trains an encoder alone, on fixed episodes of a toy and of
the Panda with two scripts. Probes of its contexts, on held-out tasks or episodes, tell R2 of the
hidden quantity, the same given the behaviour that the episode shows, and how often context and
behaviour name the behaviour that the task asks for. The second table has larger batches and
replays, and K, the number of candidates: the bound of an NCE objective is at most log K. SaNCE has
its negatives from one task, so that there a larger batch means more tasks and no larger K.

The objectives in whole trainings are a sweep, e.g.

    skill-train sweep context --folder logs/crippled --seeds 0..2
        --set objective=none,infonce,sance,sance-cross,forward-model,supervised --
        --world crippled_half_cheetah
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.context.encoder_only import EncoderRun, Inputs, log_candidates
from benchmarks.context.encoder_only import Objective as AloneObjective
from benchmarks.context.objectives import pick_or_push, toy
from benchmarks.context.objectives.scores import Known, Scores, score
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import Counts, PositiveInt, Seeds, Some
from benchmarks.lib.report import print_table, seed_text, write_json
from skill_training.context.objective import ContrastiveConfig
from skill_training.data.episodes import EpisodeReplay, Episodes
from skill_training.nets.encoder import EncoderConfig
from skill_training.recipes.context.config import OBJECTIVES, Objective

ENCODER = EncoderConfig(hidden=64, learning_rate=3e-3)
"""The encoder of `skill-train goal`."""

PER_TASK = 16
"""Episodes of a task of the toy."""

HELD_OUT_SEED = 1000

Setting = tuple[Objective, int]
"""An objective, and the number of episodes of its gradient steps."""

ALL: tuple[Objective, ...] = get_args(Objective)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Objectives of an encoder, on fixed episodes."""

    objectives: Some[Objective] = ALL
    """Objectives to compare."""
    toy: Some[toy.Kind] = toy.KINDS
    """Returns of the toy."""
    tasks: PositiveInt = 64
    """Training tasks of the toy, 16 episodes each."""
    panda: bool = True
    """Also the Panda with two scripts, in two contexts."""
    panda_episodes: PositiveInt = 512
    """Training episodes of each script."""
    batch: PositiveInt = 64
    """Episodes of a gradient step."""
    batches: Counts = (16, 64, 256)
    """Batches of the second table, on the toy's reversal."""
    replays: tuple[PositiveInt, ...] = (1_000, 10_000, 100_000)
    """Transitions in replay of the second table; () leaves the table out."""
    steps: PositiveInt = 500
    """Gradient steps of each run."""
    seeds: Seeds = (0, 1, 2)
    """Training seeds: data, encoder and batches."""
    json: Path | None = None
    """File of the result, as JSON."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Fixed episodes for training and for the probes."""

    train: Episodes
    known: Known
    unseen: Episodes
    held_out: Known


@dataclass(frozen=True, kw_only=True)
class Row:
    """The results of one setting, one entry for each seed."""

    name: str
    objective: Objective
    batch: int
    transitions: int
    candidates: int | None
    """K of a contrastive draw."""
    losses: list[float]
    scores: list[Scores]


def alone(objective: Objective) -> AloneObjective:
    """Returns an objective for an encoder alone; of ``none`` it takes no steps."""
    if objective == "supervised":
        return "truth"
    if objective == "forward-model":
        return "forward-model"
    return ContrastiveConfig(gap_coefficient=1.0, **OBJECTIVES[objective])


def candidates(run: EncoderRun, replay: EpisodeReplay) -> int | None:
    """Returns K of a contrastive draw, the positive included; None without one."""
    drawn = None if run.term is None else run.term.draw(replay, torch.Generator().manual_seed(0))
    return None if drawn is None else round(math.exp(log_candidates(drawn)))


def known_of(episodes: Episodes, behaviour: torch.Tensor, right: torch.Tensor) -> Known:
    """Returns the first hidden quantity of some episodes, and their behaviour."""
    truth, given, wanted = (
        part.numpy().astype(np.float64) for part in (episodes.truth[:, -1, 0], behaviour, right)
    )
    return Known(truth=truth, behaviour=given, right=wanted)


def toy_data(kind: toy.Kind, tasks: int, seed: int) -> Data:
    """Returns episodes of the toy, and others of 64 held-out tasks."""

    def known(episodes: Episodes) -> Known:
        return known_of(episodes, toy.behaviour_of(episodes), toy.right_behaviour(episodes))

    train = toy.make_episodes(tasks, PER_TASK, kind, seed, ENCODER.hidden)
    unseen = toy.make_episodes(64, PER_TASK, kind, HELD_OUT_SEED + seed, ENCODER.hidden)
    return Data(train=train, known=known(train), unseen=unseen, held_out=known(unseen))


def panda_data(episodes: int, seed: int) -> Data:
    """Returns episodes of the two scripts, and other ones in the same two contexts."""

    def collect(count: int, seed: int) -> tuple[Episodes, Known]:
        found, behaviour = pick_or_push.collect(count, seed, ENCODER.hidden)
        return found, known_of(found, behaviour, pick_or_push.right_script(found))

    train, known = collect(episodes, seed)
    unseen, held_out = collect(256, HELD_OUT_SEED + seed)
    return Data(train=train, known=known, unseen=unseen, held_out=held_out)


def measure(
    name: str,
    make_data: Callable[[int], Data],
    settings: Sequence[Setting],
    config: Config,
    advance: Callable[[], object],
) -> list[Row]:
    """Runs each objective with its batch, once for each seed."""
    rows: list[Row] = []
    for seed in config.seeds:
        data = make_data(seed)
        replay = EpisodeReplay(len(data.train))
        replay.add(data.train)
        inputs = Inputs.of(data.train)
        for place, (objective, batch) in enumerate(settings):
            run = EncoderRun(alone(objective), ENCODER, inputs, batch=batch, seed=seed)
            if seed == config.seeds[0]:
                rows.append(
                    Row(
                        name=name,
                        objective=objective,
                        batch=batch,
                        transitions=data.train.action.shape[0] * data.train.action.shape[1],
                        candidates=candidates(run, replay),
                        losses=[],
                        scores=[],
                    )
                )
            steps = 0 if objective == "none" else config.steps
            rows[place].losses.append(run.train(replay, steps))
            contexts = run.contexts(data.train), run.contexts(data.unseen)
            rows[place].scores.append(score(contexts[0], data.known, contexts[1], data.held_out))
            advance()
    return rows


def span(values: Sequence[float]) -> str:
    """Returns the mean, and the least and the largest value."""
    return f"{np.mean(values):.2f} ({min(values):.2f}..{max(values):.2f})"


def cells(row: Row) -> list[str]:
    """Returns the scores of a row."""
    return [
        span([one.r2 for one in row.scores]),
        span([one.r2_given_behaviour for one in row.scores]),
        span([one.accuracy for one in row.scores]),
    ]


def main(config: Config) -> None:
    """Measures, prints both tables and writes the result."""
    torch.set_num_threads(1)
    plain: list[Setting] = [(objective, config.batch) for objective in config.objectives]
    grid: list[Setting] = [
        (objective, batch) for objective in config.objectives for batch in config.batches
    ]
    worlds: dict[str, Callable[[int], Data]] = {
        f"toy, {kind}": lambda seed, kind=kind: toy_data(kind, config.tasks, seed)
        for kind in config.toy
    }
    if config.panda:
        worlds["pick or push"] = lambda seed: panda_data(config.panda_episodes, seed)
    total = len(worlds) * len(plain) + len(config.replays) * len(grid)
    with tqdm(total=total * len(config.seeds), unit="run", disable=None, leave=False) as bar:
        first = [
            row
            for name, make in worlds.items()
            for row in measure(name, make, plain, config, bar.update)
        ]
        second = [
            row
            for size in config.replays
            for row in measure(
                "toy, reversal",
                lambda seed, size=size: toy_data(
                    "reversal", max(2, size // (PER_TASK * toy.STEPS)), seed
                ),
                grid,
                config,
                bar.update,
            )
        ]
    scores = ["R2", "R2 given behaviour", "accuracy of the choice"]
    print_table(
        ["data", "objective", "loss", *scores],
        [[row.name, row.objective, f"{np.mean(row.losses):.2f}", *cells(row)] for row in first],
    )
    if second:
        print()
        print_table(
            ["transitions", "objective", "batch", "K", *scores],
            [
                [
                    str(row.transitions),
                    row.objective,
                    str(row.batch),
                    "-" if row.candidates is None else str(row.candidates),
                    *cells(row),
                ]
                for row in second
            ],
        )
    print(
        f"\n{config.steps} gradient steps; training seeds {seed_text(config.seeds)}: mean (least "
        "to largest); R2 is that of the first hidden quantity, the log mass"
    )
    plain_rows = [
        {
            "data": row.name,
            "objective": row.objective,
            "batch": row.batch,
            "transitions": row.transitions,
            "candidates": row.candidates,
            "losses": row.losses,
            "scores": [vars(one) for one in row.scores],
        }
        for row in (*first, *second)
    ]
    write_json(config.json, {"steps": config.steps, "rows": plain_rows})


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.context.objectives", description=__doc__)
