"""Scores of one entry of the ladder, from the records of its episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from benchmarks.arms.ladder.record import FORCE_BIN_N, GAP_BIN_MM, Record, percentile
from skill_proto.arrays import Array
from skill_robots.tasks.tabletop.metrics import goal_metrics, skill_metrics
from skill_robots.tasks.tabletop.trajectories import GoalTrajectories, Trajectories

Commands = Literal["skills", "goals"]

SETS = 4
"""Sets of skills; the episodes of a seed are divided among them."""

NEAR_M = {"goal_share_5cm": 0.05, "goal_share_3cm": 0.03}
"""Successes of goals: the cube ends closer than this [m]."""

MOVED_M = {"moved_share_10cm": 0.10}
"""Successes of skills: the cube ends farther from its start than this [m]."""

Scores = dict[str, float]

Seeds = Mapping[int, Sequence[Record]]
"""Records by evaluation seed, in the order of their episodes."""


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


def motion(records: Sequence[Record]) -> Motion:
    """Returns tracking and force over all episodes, which have equal lengths."""
    squares = [record.gap_square_mm2 for record in records]
    return Motion(
        gap_rms_mm=float(np.sqrt(np.mean(squares))),
        gap_p99_mm=percentile([record.gaps for record in records], 0.99, GAP_BIN_MM),
        force_p99_n=percentile([record.forces for record in records], 0.99, FORCE_BIN_N),
        force_max_n=max(record.force_max_n for record in records),
        faults=sum(bool(record.faults) for record in records),
    )


def successes(record: Record, commands: Commands, command: Array) -> dict[str, bool]:
    """Returns the successes of one episode, with its skill or goal."""
    cube = np.array(record.cube)
    if commands == "goals":
        distance = float(np.linalg.norm(cube[-1] - command))
        return {name: distance < near for name, near in NEAR_M.items()}
    distance = float(np.linalg.norm(cube[-1] - cube[0]))
    return {name: distance > far for name, far in MOVED_M.items()}


def seed_scores(records: Sequence[Record], commands: Commands, vectors: Array) -> Scores:
    """Returns the scores that need whole episodes of one seed; none of skills before a whole set.

    Args:
        records: of one seed, in order.
        commands: whether ``vectors`` are skills or goals.
        vectors: ``(n, Z)`` skill or goal of every episode of the seed; for skills those of one set
            after the other.
    """
    if commands == "goals":
        return goal_metrics(
            GoalTrajectories(
                cube=np.array([record.cube for record in records]),
                cube_speed=np.array([record.cube_speed for record in records]),
                end_effector=np.zeros((len(records), 0, 3)),  # no metric uses it
                goals=vectors[[record.episode for record in records]],
                mass=np.array([record.mass for record in records]),
                friction=np.array([record.friction for record in records]),
            )
        )
    by_number = {record.episode: record for record in records}
    size = len(vectors) // SETS
    whole = [
        [by_number[number] for number in range(first, first + size)]
        for first in range(0, len(vectors), size)
        if all(number in by_number for number in range(first, first + size))
    ]
    if not whole:
        return {}
    return skill_metrics(
        Trajectories(
            cube=np.array([[record.cube for record in one] for one in whole]),
            end_effector=np.zeros((len(whole), size, 0, 3)),  # no metric uses it
            skills=vectors[:size],
            mass=np.array([[record.mass for record in one] for one in whole]),
            friction=np.array([[record.friction for record in one] for one in whole]),
        )
    )


def entry_scores(seeds: Seeds, commands: Commands, vectors: Mapping[int, Array]) -> Scores:
    """Returns the scores of an entry with at least one episode.

    Successes, tracking and force count every episode alike; the other scores are means over the
    seeds that have them.

    Args:
        seeds: the records.
        commands: whether ``vectors`` are skills or goals.
        vectors: of every seed, as for :func:`seed_scores`.
    """
    parts = [seed_scores(records, commands, vectors[seed]) for seed, records in seeds.items()]
    names = dict.fromkeys(name for part in parts for name in part)
    scores = {
        name: float(np.mean([part[name] for part in parts if name in part])) for name in names
    }
    every = [
        successes(record, commands, vectors[seed][record.episode])
        for seed, records in seeds.items()
        for record in records
    ]
    scores |= {name: float(np.mean([one[name] for one in every])) for name in every[0]}
    return scores | asdict(motion([record for records in seeds.values() for record in records]))
