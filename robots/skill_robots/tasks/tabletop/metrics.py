"""Metrics of rollouts: displacement, coverage, direction, height and goals.

A function of one metric returns NaN if the metric is undefined, such as the consistency of a single
set of skills. Those of several metrics leave undefined ones out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories, Trajectories

MOVED_M = 0.03
"""Displacement from which a cube counts as moved and has a direction [m]."""

CELL_M = 0.02
"""Side of a displacement cell [m]."""

LIFTED_M = 0.03
"""Height above its rest from which a cube counts as lifted [m]; a tumbling cube rises 8 mm."""

LIFTED_STEPS = 13
"""Control steps at the end of an episode for which a lifted cube must stay up: half a second."""

REST_STEPS = (40, 60)
"""Control steps at which :func:`rest_share` is reported: 1.6 and 2.4 s."""

FAR_M = 0.05
"""Distance beyond which a goal counts in :func:`rest_share` [m]."""

REST_DISTANCE_M, REST_M_S = 0.03, 0.02
"""A cube within this distance of its goal [m] and below this speed [m/s] is at rest there."""


def skill_metrics(trajectories: Trajectories) -> dict[str, float]:
    """Computes the metrics of :func:`~skill_robots.tasks.tabletop.rollouts.skill_rollouts`.

    Displacement is that of the cube in the table plane, from its own start. ``moved_share_*`` and
    ``median_displacement_m`` use the end of the episode, the cells every step. Policies that drive
    the gripper have the metrics of :func:`lift_metrics`, too. Undefined metrics are left out.
    """
    displacement = trajectories.displacement
    final = displacement[:, :, -1]
    distance = np.linalg.norm(final, axis=-1)
    lifts = {} if trajectories.height is None else lift_metrics(trajectories.height)
    metrics = {
        "moved_share_3cm": float(np.mean(distance > MOVED_M)),
        "moved_share_10cm": float(np.mean(distance > 0.10)),
        "median_displacement_m": float(np.median(distance)),
        "displacement_cells_2cm": displacement_cells(displacement),
        "octants": octants(final),
        "displacement_r2": displacement_r2(trajectories.skills, final),
        "direction_consistency": direction_consistency(final),
    }
    return defined(metrics | lifts)


def defined(metrics: Mapping[str, float]) -> dict[str, float]:
    """Returns the metrics without those that are NaN."""
    return {name: value for name, value in metrics.items() if not math.isnan(value)}


def lift_metrics(height: Array) -> dict[str, float]:
    """Computes the metrics of lifting.

    ``lifted_share``: episodes with the cube up for the whole last half second.
    ``height_cells_2cm``: bands of height, centred on multiples of 2 cm, that one set visits; a cube
    at rest visits one.

    Args:
        height: ``(episodes, skills, steps + 1)`` of the cubes above their rest [m].
    """
    lifted = (height[:, :, -LIFTED_STEPS - 1 :] > LIFTED_M).all(axis=2)
    bands = np.rint(height / CELL_M).astype(np.int64)
    return {
        "lifted_share": float(np.mean(lifted)),
        "height_cells_2cm": float(np.mean([len(np.unique(one_set)) for one_set in bands])),
    }


def goal_metrics(trajectories: GoalTrajectories) -> dict[str, float]:
    """Computes the metrics of :func:`~skill_robots.tasks.tabletop.rollouts.goal_rollouts`.

    Distances are those at the end; each ``goal_rest_*`` uses one step (:func:`rest_share`).
    Undefined metrics are left out.
    """
    distance = trajectories.final_distance
    metrics = {
        "goal_share_5cm": float(np.mean(distance < 0.05)),
        "goal_share_3cm": float(np.mean(distance < 0.03)),
        "goal_mean_distance_m": float(np.mean(distance)),
    } | {
        f"goal_rest_share_3cm_by_{step * CONTROL_PERIOD_S * 1000:.0f}ms": rest_share(
            trajectories.distance, trajectories.cube_speed, step
        )
        for step in REST_STEPS
    }
    return defined(metrics)


def rest_share(distance: Array, speed: Array, step: int) -> float:
    """Returns the share of far goals (more than 5 cm away) with the cube at rest there at ``step``.

    At rest: within 3 cm of the goal and slower than 2 cm/s. Returns NaN if no goal is that far away
    or the episode is shorter.

    Args:
        distance: ``(n, T + 1)`` distance of the cube from its goal [m].
        speed: ``(n, T + 1)`` horizontal speed of the cube [m/s].
        step: Control step.
    """
    far = distance[:, 0] > FAR_M
    if step >= distance.shape[1] or not far.any():
        return math.nan
    settled = (distance[:, step] < REST_DISTANCE_M) & (speed[:, step] < REST_M_S)
    return float(np.mean(settled[far]))


def displacement_cells(displacement: Array) -> float:
    """Counts the 2 cm cells that the displacements of one set visit; averaged over sets.

    Cells are centred on multiples of 2 cm, so a cube at rest visits exactly one.

    Args:
        displacement: ``(episodes, skills, steps + 1, 2)`` [m].
    """
    cells = np.rint(displacement / CELL_M).astype(np.int64)
    counts = [len(np.unique(one_set.reshape(-1, 2), axis=0)) for one_set in cells]
    return float(np.mean(counts))


def octants(final: Array) -> float:
    """Counts the 45 degree sectors that contain moved cubes of one set; averaged over sets.

    Args:
        final: ``(episodes, skills, 2)`` final displacement [m].
    """
    return float(np.mean([count_octants(one_set, MOVED_M) for one_set in final]))


def count_octants(final: Array, moved_m: float) -> int:
    """Counts the 45 degree sectors with displacements ``(n, 2)`` longer than ``moved_m``."""
    moved = final[np.linalg.norm(final, axis=-1) > moved_m]
    angle = np.arctan2(moved[:, 1], moved[:, 0]) % (2 * np.pi)
    # The modulo can round up to 2 pi itself, which is sector 0 again.
    return len(np.unique((angle // (np.pi / 4)).astype(np.int64) % 8))


def displacement_r2(skills: Array, final: Array) -> float:
    """Returns the coefficient of determination of a linear fit from skill to final displacement.

    Least squares with an intercept over all episodes. Squared errors of x and y are pooled, so
    that the value does not depend on the orientation of the table's axes. Unlike that of other
    worlds (``skill_robots.worlds.metrics``) it is not adjusted for the number of skill dimensions.

    Returns 0 if all displacements are equal, and NaN if all skills are, or if there are no more
    episodes than coefficients, so that every displacement would fit.

    Args:
        skills: ``(skills, Z)``.
        final: ``(episodes, skills, 2)`` final displacement [m].
    """
    inputs, outputs = np.tile(skills, (final.shape[0], 1)), final.reshape(-1, 2)
    k = regressors(inputs)
    residual, total = map(np.sum, squared_errors(inputs, outputs))
    if k == 0 or len(inputs) <= k + 1:
        return math.nan
    return 0.0 if total < 1e-12 else max(0.0, 1.0 - float(residual / total))


def regressors(inputs: Array) -> int:
    """Counts the independent inputs ``(n, k)`` of a linear fit, apart from its intercept.

    One-hot inputs lose a dimension to the intercept, and equal ones lose all.
    """
    return int(np.linalg.matrix_rank(np.column_stack([inputs, np.ones(len(inputs))]))) - 1


def squared_errors(inputs: Array, outputs: Array) -> tuple[Array, Array]:
    """Fits each output by a linear map with an intercept, by least squares.

    Args:
        inputs: ``(n, k)``.
        outputs: ``(n, m)``.

    Returns:
        Sum of the squared errors of the fit, and that of the mean, ``(m,)`` each.
    """
    rows = np.column_stack([inputs, np.ones(len(inputs))])
    coefficients = np.linalg.lstsq(rows, outputs, rcond=None)[0]
    residual = np.square(outputs - rows @ coefficients).sum(axis=0)
    return residual, np.square(outputs - outputs.mean(axis=0)).sum(axis=0)


def direction_consistency(final: Array) -> float:
    """Returns the consistency of a skill's direction over starts and contexts: 0 to 1.

    Mean resultant length (Mardia and Jupp, Directional Statistics, 2000, section 2.3.1) of the
    directions of the moved cubes of one skill, averaged over the skills that moved the cube in at
    least two episodes. A single direction would always be consistent. Returns NaN for one set of
    skills, and 0 if no skill of several sets moved the cube twice.

    Args:
        final: ``(episodes, skills, 2)`` final displacement [m].
    """
    if len(final) < 2:
        return math.nan
    distance = np.linalg.norm(final, axis=-1, keepdims=True)
    moved = distance > MOVED_M
    direction = np.where(moved, final / np.where(moved, distance, 1.0), 0.0)
    count = moved[..., 0].sum(axis=0)
    enough = count >= 2
    if not enough.any():
        return 0.0
    resultant = np.linalg.norm(direction.sum(axis=0), axis=-1)
    return float(np.mean(resultant[enough] / count[enough]))
