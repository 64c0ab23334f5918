"""The data of one episode: enough for every score, in a few kilobytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from benchmarks.arms.episodes import Episode
from skill_proto.arrays import Array

GAP_BIN_MM, FORCE_BIN_N = 0.1, 1.0
"""Width of the bins of gaps [mm] and of contact forces [N]; percentiles are that accurate."""

TOUCHING_N = 0.5
"""Smaller forces are no contact [N]."""

Counts = dict[str, int]
"""Number of servo periods by number of the bin, which JSON has as text."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One episode of ``T`` control steps, as it stands in a journal."""

    episode: int
    """Number of the episode within its seed, from 0."""
    slip_s: float
    """Real time that was lost during the episode [s]; 0 in lockstep."""
    faults: tuple[str, ...]
    """Reasons of the faults, in words."""
    mass: float
    """[kg]."""
    friction: float
    """Friction of cube and table."""
    cube: list[list[float]]
    """``(T + 1, 2)`` cube in the table plane [m]."""
    cube_speed: list[float]
    """``(T + 1,)`` [m/s]."""
    gap_square_mm2: float
    """Mean square distance of the measured end effector from its set-point [mm^2]."""
    gaps: Counts
    """Of that distance, in bins of :data:`GAP_BIN_MM`."""
    forces: Counts
    """Of the contact force of servo periods with contact, in bins of :data:`FORCE_BIN_N`."""
    force_max_n: float
    """Largest contact force [N]."""
    revision: str = ""
    """Of the code that ran the episode."""

    @classmethod
    def of(cls, episode: Episode, *, number: int, slip_s: float, revision: str = "") -> Self:
        """Returns the record of an episode."""
        gap_mm = 1e3 * episode.gap
        return cls(
            episode=number,
            slip_s=slip_s,
            faults=episode.faults,
            mass=episode.mass,
            friction=episode.friction,
            cube=episode.cube.round(5).tolist(),
            cube_speed=episode.cube_speed.round(4).tolist(),
            gap_square_mm2=float(np.mean(gap_mm**2)),
            gaps=_counts(gap_mm, GAP_BIN_MM),
            forces=_counts(episode.force[episode.force > TOUCHING_N], FORCE_BIN_N),
            force_max_n=float(episode.force.max()),
            revision=revision,
        )

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns the record of a line of a journal.

        Raises:
            TypeError: the line has other fields.
        """
        fields: dict[str, Any] = {**content, "faults": tuple(content["faults"])}
        return cls(**fields)

    def to_json(self) -> dict[str, object]:
        """Returns the content of a line of a journal."""
        return asdict(self)


def _counts(values: Array, width: float) -> Counts:
    bins, counts = np.unique((values / width).astype(np.int64), return_counts=True)
    return {str(number): int(count) for number, count in zip(bins, counts, strict=True)}


def percentile(counts: list[Counts], share: float, width: float) -> float:
    """Returns the upper end of the bin that holds a share of all values; 0 without values.

    Args:
        counts: values by bin, of several episodes.
        share: in (0, 1].
        width: of a bin.
    """
    total: dict[int, int] = {}
    for part in counts:
        for number, count in part.items():
            total[int(number)] = total.get(int(number), 0) + count
    left = share * sum(total.values())
    for number in sorted(total):
        left -= total[number]
        if left <= 1e-9:
            return (number + 1) * width
    return 0.0
