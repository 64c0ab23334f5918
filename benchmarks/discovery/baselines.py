"""How far do the skills of each algorithm reach?

    python -m benchmarks.discovery.baselines --world ant --env-steps 3200000

Compares CSF, METRA, METRA with the contrastive loss, LSD, CSD, DIAYN, DADS and CIC with two
controls, CSF whose phi stays at its random start and random actions, at equal environment steps or,
with --equal compute, at equal processor time.

The same command goes on after an interruption. With --no-train it scores and prints the runs that
are finished, also while another process trains. Flags of all runs follow after --, e.g.
-- --task.restart-lying-after 10 --algorithm.hidden 512 512
"""

from __future__ import annotations

import sys

from benchmarks.discovery.comparison.in_world import WorldOptions, compare
from benchmarks.discovery.comparison.rows import BASELINES
from benchmarks.discovery.comparison.study import split_words
from benchmarks.lib.program import run_program

if __name__ == "__main__":
    own, after = split_words(sys.argv[1:])
    prog = "python -m benchmarks.discovery.baselines"
    run_program(
        lambda options: compare("Algorithms", options, BASELINES, after),
        WorldOptions,
        prog=prog,
        description=__doc__,
        args=own,
    )
