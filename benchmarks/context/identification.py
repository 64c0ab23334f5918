"""How well a policy's own estimates know mass and friction, some time after the first contact."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.context.goal_serving import GoalService, columns, quantities, trained_range
from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.policy.onnx_policy import OnnxPolicy
from skill_training.export.calibration import log_r2

AFTER_CONTACT_STEPS = (15, 25, 60)
"""0.6, 1 and 2.4 s."""
CONTACT_M_S = 0.02
"""A cube that is faster than this has been touched."""
EPISODE_STEPS = 120
"""Contacts come within the first second or two."""
SEED_OFFSET = 1000


def identify(policy: OnnxPolicy, scenes: int, seeds: Sequence[int]) -> list[list[float]]:
    """R2 of each log quantity, for each delay after the first contact.

    Args:
        policy: Estimates mass, friction or both.
        scenes: Episodes of one seed, each towards one goal.
        seeds: Of starts, goals and contexts; all are pooled.
    """
    ranges = [trained_range(policy, name) for name in ("cube_mass", "cube_table_friction")]
    task = TabletopConfig(mass=ranges[0], friction=ranges[1], sensor_noise=1.0)
    truths: list[Array] = []
    said: list[Array] = []
    for seed in seeds:
        # The period is longer than the episode: one goal each, and all episodes begin together.
        service = GoalService(policy, task, scenes, seed=seed + SEED_OFFSET, period_steps=10**6)
        estimates: list[Array] = []
        speeds: list[Array] = []
        for _ in range(EPISODE_STEPS):
            estimates.append(np.asarray(service.step().estimate, np.float64))
            speeds.append(service.table.cube_speed.copy())
        moving = np.stack(speeds) > CONTACT_M_S
        first = moving.argmax(axis=0)
        fits = moving.any(axis=0) & (first + AFTER_CONTACT_STEPS[-1] < EPISODE_STEPS)
        rows = np.flatnonzero(fits)
        at = [np.stack(estimates)[first[rows] + delay, rows] for delay in AFTER_CONTACT_STEPS]
        said.append(np.stack(at))
        truth = np.stack([service.table.mass, service.table.friction], axis=1)
        truths.append(truth[rows][:, columns(quantities(policy))])
    known, estimate = np.log(np.concatenate(truths)), np.log(np.concatenate(said, axis=1))
    return [log_r2(known, estimate[i]) for i in range(len(AFTER_CONTACT_STEPS))]
