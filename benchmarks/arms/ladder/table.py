"""The table of the ladder: means with intervals, and successes lost from one rung to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from benchmarks.arms.ladder.scores import (
    MOVED_M,
    NEAR_M,
    Scores,
    Seeds,
    entry_scores,
    successes,
)
from benchmarks.arms.ladder.settings import Entry
from benchmarks.lib.report import print_table
from skill_proto.arrays import Array

BAR = 0.03
"""Loss of success from one rung to the next from which a cause is to be found."""

Z_95 = 1.96
"""Two-sided 95 % point of the normal distribution."""

SUCCESSES = (*MOVED_M, *NEAR_M)
"""Scores that are shares of episodes: they have intervals, and :data:`BAR` applies to them."""

COLUMNS: dict[str, tuple[str, float]] = {
    "moved_share_10cm": ("moved > 10 cm %", 100.0),
    "displacement_cells_2cm": ("cells", 1.0),
    "direction_consistency": ("consistency %", 100.0),
    "goal_share_5cm": ("goal < 5 cm %", 100.0),
    "goal_share_3cm": ("goal < 3 cm %", 100.0),
    "gap_rms_mm": ("gap rms mm", 1.0),
    "gap_p99_mm": ("gap p99 mm", 1.0),
    "force_p99_n": ("force p99 N", 1.0),
    "force_max_n": ("force max N", 1.0),
}
"""Columns of the table: heading and factor of each score."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The episodes of one entry so far."""

    entry: Entry
    seeds: Seeds
    vectors: Mapping[int, Array]
    """Skill or goal of every episode, by seed."""
    wanted: int
    """Episodes of the complete entry."""
    inconclusive: int
    """Attempts that did not count, because the box lost time."""

    @property
    def count(self) -> int:
        """Number of episodes."""
        return sum(map(len, self.seeds.values()))

    def scores(self) -> Scores:
        """Returns the scores; none without an episode."""
        if not self.count:
            return {}
        return entry_scores(self.seeds, self.entry.commands, self.vectors)

    def successes(self) -> dict[tuple[int, int], dict[str, bool]]:
        """Returns the successes by seed and episode."""
        return {
            (seed, record.episode): successes(
                record, self.entry.commands, self.vectors[seed][record.episode]
            )
            for seed, records in self.seeds.items()
            for record in records
        }

    @property
    def revisions(self) -> tuple[str, ...]:
        """Revisions of the code that ran the episodes."""
        found = (record.revision for records in self.seeds.values() for record in records)
        return tuple(dict.fromkeys(found))


def wilson(share: float, count: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share of ``count`` episodes (Wilson, 1927)."""
    z2 = Z_95 * Z_95
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z_95 * sqrt(share * (1 - share) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return max(0.0, centre - half), min(1.0, centre + half)


def losses(rows: Sequence[Row]) -> list[str]:
    """Lists the successes that fall by more than :data:`BAR` from the first rung of a policy.

    Only episodes count that both rungs have, since these begin alike.
    """
    first: dict[tuple[str, str], Row] = {}
    found: list[str] = []
    for row in rows:
        if not row.count:
            continue
        start = first.setdefault((row.entry.policy, row.entry.commands), row)
        before, after = start.successes(), row.successes()
        common = [key for key in after if key in before]
        if not common:
            continue
        for name in after[common[0]]:
            one = sum(before[key][name] for key in common) / len(common)
            other = sum(after[key][name] for key in common) / len(common)
            if one - other > BAR:
                found.append(
                    f"{row.entry.policy}, {row.entry.commands}: {name} {one:.3f} on "
                    f"{start.entry.rung}, {other:.3f} on {row.entry.rung} ({len(common)} episodes)"
                )
    return found


def print_rows(rows: Sequence[Row]) -> None:
    """Prints the table, the losses, and the remarks on each entry."""
    shown: list[list[str]] = []
    for row in rows:
        scores, entry = row.scores(), row.entry
        cells = [entry.policy, entry.commands, entry.rung, f"{row.count} of {row.wanted}"]
        cells += [_cell(name, scores, row.count) for name in COLUMNS]
        cells += [f"{scores['faults']:.0f}" if scores else "-", str(row.inconclusive)]
        shown.append(cells)
    titles = [title for title, _ in COLUMNS.values()]
    print_table(
        ["policy", "by", "arm", "episodes", *titles, "faults", "inconclusive attempts"], shown
    )
    for text in losses(rows):
        print(f"more than {100 * BAR:g} points lost: {text}")
    for row in rows:
        if len(row.revisions) > 1:
            print(f"{row.entry}: episodes of several revisions: {', '.join(row.revisions)}")


def _cell(name: str, scores: Scores, count: int) -> str:
    if name not in scores:
        return "-"
    factor = COLUMNS[name][1]
    text = f"{factor * scores[name]:.1f}"
    if name not in SUCCESSES:
        return text
    low, high = wilson(scores[name], count)
    return f"{text} ({factor * low:.1f} to {factor * high:.1f})"


def content(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Returns the rows for a JSON file."""
    found: list[dict[str, object]] = []
    for row in rows:
        scores = row.scores()
        found.append(
            {
                "policy": row.entry.policy,
                "commands": row.entry.commands,
                "rung": row.entry.rung,
                "episodes": {str(seed): len(records) for seed, records in row.seeds.items()},
                "inconclusive": row.inconclusive,
                "revisions": row.revisions,
                "scores": scores,
                "wilson_95": {
                    name: wilson(scores[name], row.count) for name in SUCCESSES if name in scores
                },
            }
        )
    return found
