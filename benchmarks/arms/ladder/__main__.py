"""Runs the same policy files on a ladder of arms: training's engine, another engine, a robot.

    python -m benchmarks.arms.ladder --rungs mujoco bullet
    python -m benchmarks.arms.ladder --rungs mujoco fer fr3 --speed 0.8 --episodes 40

Every rung runs the code of skill-serve: adapter, shaper, governor and the arm's own interface at
the servo rate. Starts, goals, skills, masses and frictions of a seed are equal on all rungs. For
each policy and rung the program prints success, coverage, tracking error and contact force, as
means over the evaluation seeds, and each success that falls by more than 3 points from the first
rung.

The rungs fer and fr3 are a simulated control box in real time, with the driver of skill-serve and a
vendor's library; an episode takes about 8 s. A box that has lost more than 20 ms of real time makes
the entry inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from tqdm import tqdm

from benchmarks.arms.box_process import MAX_SLIP_S
from benchmarks.arms.episodes import Episode, Rung, run_episode
from benchmarks.arms.ladder_scores import goal_scores, skill_scores
from benchmarks.arms.scripted_pick import PICK, ScriptedPick
from benchmarks.arms.simulated_rung import SimulatedRung
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.report import print_table, seed_text, write_json
from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.tabletop.rollouts import GOAL_STEPS, evaluation_goals, evaluation_skills
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.policy_runner import TickPolicy
from skill_runtime.evaluation.tabletop import takes_goals, takes_skills

RungName = Literal["mujoco", "bullet", "fer", "fr3"]

SETS = 4
"""Sets of skills; the episodes of a seed are divided among them."""

BAR = 0.03
"""Loss of success from one rung to the next from which a cause is to be found."""

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
    "faults": ("faults", 1.0),
}
"""Columns of the table: heading and factor of each score."""

SUCCESSES = ("moved_share_10cm", "goal_share_5cm", "goal_share_3cm")
"""Scores to which :data:`BAR` applies."""

Scores = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Policies, rungs and number of episodes."""

    models: tuple[str, ...] = ("models/csf_panda.onnx", "models/goal_panda.onnx", PICK)
    """Policy files; `pick` is the scripted pick-and-place controller."""
    rungs: tuple[RungName, ...] = ("mujoco", "bullet")
    """Arms, from the plant of training upwards."""
    episodes: int = 200
    """Episodes with skills, and as many with goals, for each policy, rung and seed; a multiple of
    4."""
    speed: float = 1.0
    """Share of the arms' velocity limits, as of skill-serve --speed; 0.8 is its default for a real
    arm."""
    seeds: tuple[int, ...] = (100, 101, 102)
    """Evaluation seeds."""
    json: Path | None = None
    """Write all scores of each seed to this file."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the table."""

    policy: str
    commands: Literal["skills", "goals"]
    rung: RungName
    seeds: tuple[Scores, ...]
    slip_s: float = 0.0
    """Real time that the control box has lost [s]."""

    def mean(self, name: str) -> float | None:
        """Mean of a score over the seeds; None if the row has no such score."""
        values = [scores[name] for scores in self.seeds if name in scores]
        return float(np.mean(values)) if values else None


def load_policy(model: str) -> TickPolicy:
    """Returns the policy of a file, or the scripted pick."""
    return ScriptedPick() if model == PICK else open_policy(Path(model))


def run_seed(
    rung: Rung, controller: ArmController, config: Config, seed: int, show: Callable[[], object]
) -> Iterator[tuple[Literal["skills", "goals"], Scores]]:
    """Runs the episodes of one seed; yields the scores of skills and of goals."""
    manifest = controller.manifest

    def episodes(
        vectors: Array, mode: Literal["skill", "goal"], steps: int, offset: int
    ) -> list[Episode]:
        found: list[Episode] = []
        for index, vector in enumerate(vectors):
            rung.start(controller, 1000 * seed + offset if index == 0 else None)
            episode = run_episode(rung, controller, vector, mode, steps)
            found.append(episode)
            for reason in dict.fromkeys(episode.faults):
                print(f"{manifest.name}, {mode} {index} of seed {seed}: {reason}")
            show()
        return found

    if takes_skills(manifest):
        space = manifest.skill
        count = config.episodes // SETS
        skills = evaluation_skills(space.kind, space.size, count, seed)
        steps = TabletopConfig().episode_steps
        yield (
            "skills",
            skill_scores(episodes(np.tile(skills, (SETS, 1)), "skill", steps, 0), skills),
        )
    if takes_goals(manifest):
        goals = evaluation_goals(config.episodes, seed)
        yield "goals", goal_scores(episodes(goals, "goal", GOAL_STEPS, 1), goals)


def run_policy(model: str, name: RungName, config: Config) -> list[Entry]:
    """Runs one policy on one rung."""
    policy = load_policy(model)
    found: dict[Literal["skills", "goals"], list[Scores]] = {}
    label = Path(model).stem
    rung = make_rung(name, policy.manifest)
    try:
        controller = ArmController(rung.arm, policy, speed=config.speed)
        with tqdm(desc=f"{label}, {name}", unit="episode", disable=None, leave=False) as bar:
            for seed in config.seeds:
                for commands, scores in run_seed(rung, controller, config, seed, bar.update):
                    found.setdefault(commands, []).append(scores)
        slip_s = rung.slip_s
    finally:
        rung.close()
    return [
        Entry(policy=label, commands=commands, rung=name, seeds=tuple(scores), slip_s=slip_s)
        for commands, scores in found.items()
    ]


def make_rung(name: RungName, manifest: PolicyManifest) -> Rung:
    """Returns the arm of a rung, with its cube."""
    if name == "mujoco" or name == "bullet":
        return SimulatedRung(manifest, name)
    from benchmarks.arms.box_rung import BoxRung  # needs a driver

    return BoxRung(manifest, name)


def losses(entries: list[Entry]) -> list[str]:
    """Lists the successes that fall by more than :data:`BAR` from the first rung."""
    first: Mapping[tuple[str, str], Entry] = {
        (entry.policy, entry.commands): entry for entry in reversed(entries)
    }
    found: list[str] = []
    for entry in entries:
        start = first[entry.policy, entry.commands]
        for name in SUCCESSES:
            before, after = start.mean(name), entry.mean(name)
            if before is not None and after is not None and before - after > BAR:
                found.append(
                    f"{entry.policy}, {entry.commands}: {name} {before:.3f} on {start.rung}, "
                    f"{after:.3f} on {entry.rung}"
                )
    return found


def check_episodes(episodes: int) -> None:
    """Refuses a number of episodes that is no positive multiple of :data:`SETS`.

    Raises:
        SystemExit: the number is refused.
    """
    if episodes <= 0 or episodes % SETS:
        raise SystemExit(
            f"--episodes takes a positive multiple of {SETS}, because the episodes are divided "
            f"among {SETS} sets of skills; got {episodes}"
        )


def main(config: Config) -> None:
    """Runs all policies on all rungs, prints the table, and writes the JSON file.

    Raises:
        SystemExit: the number of episodes cannot be divided among the sets of skills.
    """
    check_episodes(config.episodes)
    entries: list[Entry] = []
    for model in config.models:
        for rung in config.rungs:
            entries += run_policy(model, rung, config)
            write_json(config.json, content(config, entries))
    print_entries(config, entries)


def print_entries(config: Config, entries: list[Entry]) -> None:
    """Prints the table, the losses, and the entries that are inconclusive."""
    rows: list[list[str]] = []
    for entry in sorted(entries, key=lambda entry: (entry.policy, entry.commands == "goals")):
        row = [entry.policy, entry.commands, entry.rung]
        for name, (_, factor) in COLUMNS.items():
            value = entry.mean(name)
            row.append("-" if value is None else f"{factor * value:.1f}")
        rows.append(row)
    print(
        f"{config.episodes} episodes an entry, mean of the seeds {seed_text(config.seeds)}, "
        f"speed {config.speed:g}"
    )
    print_table(["policy", "by", "arm", *(title for title, _ in COLUMNS.values())], rows)
    for text in losses(entries):
        print(f"more than {100 * BAR:g} points lost: {text}")
    for entry in entries:
        if entry.slip_s > MAX_SLIP_S:
            print(f"inconclusive: {entry.policy}, {entry.rung} lost {entry.slip_s:.3f} s")


def content(config: Config, entries: list[Entry]) -> dict[str, object]:
    """Returns the entries so far, for the JSON file."""
    found = [
        {
            "policy": entry.policy,
            "commands": entry.commands,
            "rung": entry.rung,
            "slip_s": entry.slip_s,
            "seeds": entry.seeds,
        }
        for entry in entries
    ]
    return {
        "episodes": config.episodes,
        "seeds": config.seeds,
        "speed": config.speed,
        "entries": found,
    }


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
