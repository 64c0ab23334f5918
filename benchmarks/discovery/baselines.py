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

from benchmarks.discovery.comparison.in_world import run_comparison
from benchmarks.discovery.comparison.rows import BASELINES

if __name__ == "__main__":
    run_comparison("baselines", __doc__, "Algorithms", BASELINES)
