"""Texts of skill discovery: help, curves, progress bar and card."""

from __future__ import annotations

from skill_training.recipes.recipe import Curve

SUMMARIES = {
    "csf": "Train skills with contrastive successor features (CSF).",
    "metra": "Train skills with METRA.",
    "misl": "Ablations of CSF: other kernels, no bottleneck, a scalar critic.",
    "lsd": "Baseline: Lipschitz-constrained skill discovery (LSD).",
    "csd": "Baseline: controllability-aware skill discovery (CSD).",
    "diayn": "Baseline: diversity is all you need (DIAYN).",
    "dads": "Baseline: dynamics-aware discovery of skills (DADS).",
    "cic": "Baseline: contrastive intrinsic control (CIC).",
}

CURVES = (
    Curve(name="eval/moved_share_10cm", title="cube moved > 10 cm [share]", top=1.0),
    Curve(name="eval/displacement_cells_2cm", title="2 cm cells reached", top=500.0),
    Curve(name="eval/coverage_cells", title="cells reached"),
    Curve(name="collect/cumulative_cells", title="cells visited in training"),
    Curve(name="eval/octants", title="octants reached", top=8.0),
    Curve(name="eval/lifted_share", title="cube lifted [share]", top=1.0),
    Curve(name="eval/displacement_r2", title="R² of displacement from skill", top=1.0),
    Curve(name="eval/median_displacement_m", title="median displacement [m]", top=0.4),
    Curve(name="eval/median_displacement", title="median displacement"),
    Curve(name="eval/phi_singular_value_ratio", title="singular-value ratio of φ", top=1.0),
)

SHOWN = {
    "moved>10cm": ("moved_share_10cm", "{:.2f}"),
    "cells": ("displacement_cells_2cm", "{:.0f}"),
    "covered": ("coverage_cells", "{:.0f}"),
    "octants": ("octants", "{:.0f}"),
    "R2": ("displacement_r2", "{:.2f}"),
    "distance": ("median_displacement", "{:.1f}"),
    "return": ("mean_return", "{:.0f}"),
    "lifted": ("lifted_share", "{:.2f}"),
    "sv": ("phi_singular_value_ratio", "{:.2f}"),
}
"""Metric and format of each text of the progress bar, by a short name."""

WORLD_LIMITS = """\
- Simulation only, in {world}: the policy moves no arm, and `skill-serve` refuses it.
- Behaviour beyond the length of an episode in training ({steps} control steps) is not tested.
"""
"""Limits of use in a world without an arm."""

LIMITS = """\
- Simulation only: the policy has not been run on a real arm.
{given}{hand}- Behaviour outside the ranges above is not tested. A cube that is too heavy for the
  plant's force limit stays put.
- Pushes away from the base end at the border of the workspace.
"""
"""Limits of use on the tabletop, with places for :data:`GIVEN` and ``hand_limits``."""

GOAL_LIMITS = """\
- A cube that slides further than the trained ones (low friction) overshoots goals.
- Goals end at x = 0.10 m. The end effector does not get behind a cube at the end of its workspace
  (x = 0.15 m), so a cube there is not brought back.
"""
"""Further limits on the tabletop, of a policy that takes goals."""

GIVEN = """\
- The skill space is given: the inputs of the representation ({inputs}) were chosen by hand.
"""
"""Limit of a policy whose representation sees a quantity that was chosen by hand."""

METRIC_TEXTS = {
    "moved_share_3cm": "episodes with the cube moved > 3 cm",
    "moved_share_10cm": "episodes with the cube moved > 10 cm",
    "median_displacement_m": "median displacement of the cube [m]",
    "displacement_cells_2cm": "distinct 2 cm cells of displacement per set of skills",
    "octants": "octants of direction reached (of 8)",
    "displacement_r2": "R2 of a linear fit from skill to displacement",
    "direction_consistency": "consistency of direction per skill (0 to 1)",
    "lifted_share": "episodes with the cube more than 3 cm up for the last half second",
    "height_cells_2cm": "2 cm bands of height reached per set of skills (1 = none)",
    "phi_singular_value_ratio": "singular-value ratio of the representation (1 = isotropic)",
    "goal_share_5cm": "goals reached within 5 cm",
    "goal_share_3cm": "goals reached within 3 cm",
    "goal_rest_share_3cm_by_1600ms": "far goals with the cube at rest within 3 cm after 1.6 s",
    "goal_rest_share_3cm_by_2400ms": "far goals with the cube at rest within 3 cm after 2.4 s",
    "goal_mean_distance_m": "mean final distance to the goal [m]",
    "coverage_cells": "distinct cells that a set of skills visits",
    "median_displacement": "median displacement from the start",
    "largest_displacement": "largest displacement from the start",
    "lowest_0": "lowest value of the first coordinate",
    "highest_0": "highest value of the first coordinate",
    "lowest_1": "lowest value of the second coordinate",
    "highest_1": "highest value of the second coordinate",
    "mean_return": "mean return of an episode",
    "mean_episode_steps": "mean length of an episode [control steps]",
    "goal_staying_share": "share of steps within the goal's radius",
    "goal_staying_steps": "steps of an episode within the goal's radius",
    "goal_reached_share": "episodes that were within the goal's radius at any step",
    "goal_mean_distance": "mean final distance to the goal",
}
