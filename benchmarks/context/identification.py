"""Accuracy of a policy's estimates of mass and friction by the time after the first contact."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.context.goal_serving import GoalService, columns, quantities, trained_range
from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.policy import OnnxPolicy
from skill_training.export.calibration import log_r2

AFTER_CONTACT_STEPS = (15, 25, 60)
"""Control steps: 0.6, 1 and 2.4 s."""
CONTACT_M_S = 0.02
"""A contact begins when the cube's speed exceeds this [m/s]."""
EPISODE_STEPS = 120
"""Control steps: 4.8 s. The first contact comes within two seconds."""
SEED_OFFSET = 1000
"""Added to a seed, so that these scenes differ from those of the other measurements."""


def identify(policy: OnnxPolicy, scenes: int, seeds: Sequence[int]) -> list[list[float]]:
    """Returns R2 of the log of each quantity, for each delay after the first contact.

    Args:
        policy: Policy that estimates mass, friction or both.
        scenes: Episodes of each seed, with one goal each.
        seeds: Evaluation seeds of starts, goals and contexts; the result pools all seeds.

    Returns:
        One list for each delay of :data:`AFTER_CONTACT_STEPS`, with one value for each quantity.
    """
    ranges = [trained_range(policy, name) for name in ("cube_mass", "cube_table_friction")]
    task = TabletopConfig(mass=ranges[0], friction=ranges[1], sensor_noise=1.0)
    truths: list[Array] = []
    after_contact: list[Array] = []
    for seed in seeds:
        # The period exceeds the episode: each scene has one goal, and all episodes start at once.
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
        after_contact.append(np.stack(at))
        truth = np.stack([service.table.mass, service.table.friction], axis=1)
        truths.append(truth[rows][:, columns(quantities(policy))])
    truth, estimate = np.log(np.concatenate(truths)), np.log(np.concatenate(after_contact, axis=1))
    return [log_r2(truth, estimate[i]) for i in range(len(AFTER_CONTACT_STEPS))]
