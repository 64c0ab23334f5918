"""Which parts of CSF matter?

    python -m benchmarks.discovery.ablations --world ant --env-steps 3200000

The ablation table of CSF's paper (Zheng et al., "Can a MISL Fly?", ICLR 2025, section 6), in any
world: CSF; the information bottleneck removed; its inner product replaced by a network, a Gaussian
and a Laplacian kernel; skills of 2, 8 and 32 dimensions; METRA, and METRA with the contrastive
loss. The last row is a control: CSF whose phi stays at its random start.

The same command goes on after an interruption. With --no-train it scores and prints the runs that
are finished, also while another process trains. Flags of all runs follow after --, e.g.
-- --task.restart-lying-after 10 --algorithm.representation.form mlp
"""

from __future__ import annotations

from benchmarks.discovery.comparison.in_world import run_comparison
from benchmarks.discovery.comparison.rows import ABLATIONS

if __name__ == "__main__":
    run_comparison("ablations", __doc__, "Ablations of CSF", ABLATIONS)
