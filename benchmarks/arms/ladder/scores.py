"""Scores of the episodes of one policy on one rung."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.arms.episodes import Episode
from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.metrics import goal_metrics, skill_metrics
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories, Trajectories


@dataclass(frozen=True, kw_only=True)
class Motion:
    """Tracking and force over all episodes, and the ends that were not planned."""

    gap_rms_mm: float
    """Distance of the measured end effector from its set-point, root mean square [mm]."""
    gap_p99_mm: float
    """99th percentile of that distance [mm]."""
    force_p99_n: float
    """99th percentile of the contact force on the arm, over the servo periods with contact [N]."""
    force_max_n: float
    """Largest contact force [N]."""
    faults: int
    """Episodes that a fault ended."""


def motion(episodes: Sequence[Episode]) -> Motion:
    """Returns tracking and force over all episodes."""
    gap = np.concatenate([episode.gap for episode in episodes])
    force = np.concatenate([episode.force for episode in episodes])
    touching = force[force > 0.5]
    return Motion(
        gap_rms_mm=1e3 * float(np.sqrt(np.mean(gap**2))),
        gap_p99_mm=1e3 * float(np.percentile(gap, 99)),
        force_p99_n=float(np.percentile(touching, 99)) if touching.size else 0.0,
        force_max_n=float(force.max()),
        faults=sum(bool(episode.faults) for episode in episodes),
    )


def goal_scores(episodes: Sequence[Episode], goals: Array) -> dict[str, float]:
    """Returns the scores of episodes towards ``goals`` ``(n, 2)``."""
    run = GoalTrajectories(
        cube=np.stack([episode.cube for episode in episodes]),
        cube_speed=np.stack([episode.cube_speed for episode in episodes]),
        end_effector=np.stack([episode.end_effector for episode in episodes]),
        goals=goals,
        mass=np.array([episode.mass for episode in episodes]),
        friction=np.array([episode.friction for episode in episodes]),
    )
    return goal_metrics(run) | asdict(motion(episodes))


def skill_scores(episodes: Sequence[Episode], skills: Array) -> dict[str, float]:
    """Returns the scores of sets of all ``skills`` ``(k, Z)``, one set after the other."""
    k = len(skills)
    sets = len(episodes) // k

    def stacked(parts: Sequence[Array]) -> Array:
        return np.stack(parts).reshape(sets, k, *parts[0].shape)

    run = Trajectories(
        cube=stacked([episode.cube for episode in episodes]),
        end_effector=stacked([episode.end_effector for episode in episodes]),
        skills=skills,
        mass=np.array([episode.mass for episode in episodes]).reshape(sets, k),
        friction=np.array([episode.friction for episode in episodes]).reshape(sets, k),
    )
    return skill_metrics(run) | asdict(motion(episodes))
