"""Which representations let skills push the cube, and which of them are discovered?

    python -m benchmarks.discovery.panda --folder logs/panda

Trains and scores on the tabletop, with evaluation seeds that training does not use:

- a representation phi that is given by hand (the cube's x and y), frozen, or learned as a rotation;
- phi of the entries that the actions do not drive directly, linear and as a network, each beside
  the same phi frozen at its random start: a policy is discovered only if it is better than that;
- phi of all 28 entries;
- random actions;
- the network without each, with each alone, and without all of three aids to exploration.

Skills of more than two dimensions are also scored in the plane that phi gives the cube:
z = J u / |J u| for directions u of the plane, with J the mean derivative of phi in the cube's x and
y over visited states. These skills compare with those of two dimensions.

The same command goes on after an interruption. With --no-train it scores and prints the runs that
are finished, also while another process trains. Flags of all runs follow after --.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.discovery.comparison.rows import PANDA, PANDA_AIDS
from benchmarks.discovery.comparison.scoring import PLANE
from benchmarks.discovery.comparison.study import (
    Scored,
    StudyOptions,
    report_failures,
    run_study,
    split_words,
)
from benchmarks.discovery.comparison.tables import (
    Columns,
    draw_bars,
    minutes,
    print_scores,
    steps_until,
    write_scores,
)
from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveInt
from skill_robots.worlds.registry import TABLETOP

COLUMNS: Columns = {
    "moved_share_10cm": ("> 10 cm", ".3f"),
    "displacement_cells_2cm": ("cells", ".0f"),
    "octants": ("octants", ".1f"),
    "adjusted_r2": ("adj. R2", ".3f"),
    "goal_share_5cm": ("goals 5 cm", ".3f"),
    "goal_share_3cm": ("goals 3 cm", ".3f"),
}

IN_PLANE: Columns = {
    PLANE + name: COLUMNS[name]
    for name in ("moved_share_10cm", "displacement_cells_2cm", "octants", "adjusted_r2")
}

SLOPES: Columns = {
    "slope_cube": ("cube, largest", ".1f"),
    "slope_cube_second": ("cube, second", ".1f"),
    "slope_hand": ("hand, largest", ".1f"),
}

MOVED = "eval/moved_share_10cm"
"""Metric of the evaluations during training."""

EVAL_INTERVAL = ("--eval-interval", "48000")
"""Environment steps between two evaluations, 15 rounds of episodes."""


@dataclass(frozen=True, kw_only=True)
class Config(StudyOptions):
    """Representations on the tabletop, and aids to exploration."""

    folder: Path = Path("logs/discovery/panda")
    """Folder of the run directories (160 MB each at 640,000 steps), their logs and the scores."""
    env_steps: PositiveInt = 640_000
    """Environment steps of each run."""
    picture: Path | None = None
    """Bar picture of the share of episodes that moved the cube more than 10 cm."""


def print_tables(scored: Sequence[Scored]) -> None:
    """Prints the tables of those rows that were chosen."""
    aids = {row.key for row in PANDA_AIDS}
    rows = [one for one in scored if one.row.key not in aids]
    if rows:
        print_scores("Representations: mean [95 % interval]", rows, COLUMNS, _training(rows))
    in_plane = [one for one in rows if any(name in one.metrics for name in IN_PLANE)]
    if in_plane:
        print_scores("48 skills in the plane that φ gives the cube", in_plane, IN_PLANE)
    with_phi = [one for one in rows if any(name in one.metrics for name in SLOPES)]
    if with_phi:
        print_scores("Slopes of φ [1/m], mean over visited states", with_phi, SLOPES)
    ablated = [one for one in scored if one.row.key in aids or one.row.key == "mlp"]
    if any(one.row.key in aids for one in ablated):
        title = "Aids to exploration, on φ as a network (which has all)"
        print_scores(title, ablated, COLUMNS, _training(ablated))


def _training(rows: Sequence[Scored]) -> dict[str, list[str]]:
    """Returns columns about the training of each row."""
    return {
        "k steps to .5 > 10 cm": [steps_until(one, MOVED, 0.5) for one in rows],
        "minutes": [minutes(one) for one in rows],
    }


def main(config: Config, common: Sequence[str]) -> None:
    """Trains, scores, and prints the tables."""
    given = any(word.partition("=")[0] == EVAL_INTERVAL[0] for word in common)
    flags = [*common, *(() if given else EVAL_INTERVAL)]
    scored, failures = run_study(config, (*PANDA, *PANDA_AIDS), TABLETOP, flags)
    print_tables(scored)
    write_scores(config, scored, {"env_steps": config.env_steps, "flags": flags})
    if config.picture is not None:
        draw_bars(
            scored, "moved_share_10cm", "episodes with the cube moved > 10 cm", config.picture
        )
    report_failures(failures)


if __name__ == "__main__":
    own, after = split_words(sys.argv[1:])
    run_program(
        lambda config: main(config, after),
        Config,
        prog="python -m benchmarks.discovery.panda",
        description=__doc__,
        args=own,
    )
