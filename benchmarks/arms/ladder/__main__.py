"""Runs the same policy files on a ladder of arms: training's engine, another engine, two robots.

    python -m benchmarks.arms.ladder --hours 2
    python -m benchmarks.arms.ladder --table

Every rung runs the code of skill-serve: adapter, shaper, governor and the arm's own interface at
the servo rate. Starts, goals, skills, masses and frictions of an episode are equal on all rungs.
For each policy and rung the program prints the number of episodes, success with its 95 % interval
(Wilson), coverage, tracking error and contact force, and each success that falls by more than 3
points from the first rung.

The rungs fer and fr3 are a simulated control box in real time, with the driver of skill-serve and a
vendor's library. An episode takes about 8 s there, so the whole table takes hours. Every episode
goes to a file of its entry and seed as soon as it ends; the next run goes on where the last one
ended, also after a kill. An episode during which box or program lost more than 20 ms of real
time is counted as inconclusive and repeated. Episodes of another policy file, or with other
settings, are never mixed: the program names what differs and ends.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.arms.episodes import Rung
from benchmarks.arms.ladder import journal
from benchmarks.arms.ladder.journal import Journal
from benchmarks.arms.ladder.progress import Progress
from benchmarks.arms.ladder.runner import EntryRun, Pace, TimeUpError
from benchmarks.arms.ladder.settings import (
    Config,
    Entry,
    RungName,
    check,
    entries_of,
    facts_of,
    vectors_of,
)
from benchmarks.arms.ladder.table import Row, content, print_rows
from benchmarks.arms.scripted_pick import PICK, ScriptedPick
from benchmarks.arms.simulated_rung import SimulatedRung
from benchmarks.lib.inputs import open_policy
from benchmarks.lib.program import run_program
from benchmarks.lib.report import seed_text, write_json
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import ArmError
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.policy_runner import TickPolicy
from skill_training.run.provenance import code_revision

STARTS = 3
"""Starts of an arm for one policy and seed in one run; a later run tries again."""


def load_policy(model: str) -> TickPolicy:
    """Returns the policy of a file, or the scripted pick."""
    return ScriptedPick() if model == PICK else open_policy(Path(model))


def make_rung(name: RungName, manifest: PolicyManifest) -> Rung:
    """Returns the arm of a rung, with its cube."""
    if name == "mujoco" or name == "bullet":
        return SimulatedRung(manifest, name)
    from benchmarks.arms.box_rung import BoxRung  # needs a driver

    return BoxRung(manifest, name)


class Table:
    """All entries of a configuration, and their files.

    Args:
        config: the options.

    Attributes:
        entries: in the order of the table.

    Raises:
        UsageError: a policy file cannot be opened.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._policies = {model: load_policy(model) for model in config.models}
        self.entries = [
            entry
            for model, policy in self._policies.items()
            for entry in _by_commands(model, policy.manifest, config.rungs)
        ]

    def rows(self) -> list[Row]:
        """Reads the episodes so far.

        Raises:
            UsageError: the episodes of a file have other settings, or it cannot be read.
        """
        return [self._row(entry) for entry in self.entries]

    def _row(self, entry: Entry) -> Row:
        config, manifest = self.config, self._policies[entry.model].manifest
        found = {seed: self._read(entry, seed) for seed in config.seeds}
        return Row(
            entry=entry,
            seeds={seed: records for seed, (records, _) in found.items() if records},
            vectors={
                seed: vectors_of(entry, manifest, config.episodes, seed) for seed in config.seeds
            },
            wanted=config.episodes * len(config.seeds),
            inconclusive=sum(count for _, count in found.values()),
        )

    def _read(self, entry: Entry, seed: int) -> tuple[list[journal.Record], int]:
        path = entry.path(self.config.folder, seed)
        if not path.exists():
            return [], 0
        facts, records, inconclusive = journal.read(path)
        if facts is not None:
            journal.check_facts(path, facts, facts_of(entry, self.config, seed))
        return [records[number] for number in sorted(records)], inconclusive

    def pace(self) -> Pace:
        """Returns the time of a run that begins now."""
        config = self.config
        left: dict[str, int] = dict.fromkeys(config.rungs, 0)
        for row in self.rows():
            left[row.entry.rung] += row.wanted - row.count
        limit_s = config.limit_s
        return Pace(None if limit_s is None else time.monotonic() + limit_s, left)

    def run(self) -> None:
        """Runs the episodes that are left; the first seed of all entries comes first.

        Raises:
            TimeUpError: the time of the run is over.
            UsageError: a file has episodes with other settings.
        """
        pace = self.pace()
        for seed in self.config.seeds:
            for rung in self.config.rungs:
                for model in self.config.models:
                    self._run_model(model, rung, seed, pace)

    def _run_model(self, model: str, rung: RungName, seed: int, pace: Pace) -> None:
        """Runs a policy on a rung with one seed; an arm that fails is started again."""
        for _ in range(STARTS):
            try:
                self._run_rung(model, rung, seed, pace)
                return
            except ArmError as error:
                print(f"{Path(model).stem}, {rung}, seed {seed}: {error}", file=sys.stderr)

    def _run_rung(self, model: str, name: RungName, seed: int, pace: Pace) -> None:
        """Runs the entries of a policy on a rung, with one seed."""
        config, policy = self.config, self._policies[model]
        with ExitStack() as opened:
            files: list[tuple[Entry, Journal]] = []
            for entry in self.entries:
                if (entry.model, entry.rung) == (model, name):
                    facts = facts_of(entry, config, seed)
                    file = opened.enter_context(Journal(entry.path(config.folder, seed), facts))
                    if len(file.records) < config.episodes:
                        files.append((entry, file))
            if not files:
                return
            pace.check()
            rung = make_rung(name, policy.manifest)
            opened.callback(rung.close)
            controller = ArmController(rung.arm, policy, speed=config.speed)
            for entry, file in files:
                with Progress(f"{entry}, seed {seed}", file, config.episodes, pace) as progress:
                    EntryRun(
                        entry=entry,
                        seed=seed,
                        rung=rung,
                        controller=controller,
                        vectors=vectors_of(entry, policy.manifest, config.episodes, seed),
                        journal=file,
                        pace=pace,
                        revision=code_revision(),
                        show=progress.show,
                    ).run()


def _by_commands(model: str, manifest: PolicyManifest, rungs: tuple[RungName, ...]) -> list[Entry]:
    """Lists the entries of a policy: all rungs by skills, then all by goals."""
    found = [entry for rung in rungs for entry in entries_of(model, manifest, rung)]
    return sorted(found, key=lambda entry: entry.commands == "goals")


def main(config: Config) -> None:
    """Runs the missing episodes, prints the table, and writes the JSON file.

    The table says which episodes are missing.

    Raises:
        UsageError: an option is refused, or a file has episodes with other settings.
        KeyboardInterrupt: the program was interrupted; the table is printed and written.
    """
    check(config)
    table, interrupted = Table(config), False
    if not config.table:
        try:
            table.run()
        except TimeUpError:
            print("the time is over; the next run goes on from here", file=sys.stderr)
        except KeyboardInterrupt:
            interrupted = True
    rows = table.rows()
    print(
        f"speed {config.speed:g}, seeds {seed_text(config.seeds)}; shares with their 95 % interval"
    )
    print_rows(rows)
    write_json(
        config.json,
        {
            "episodes_per_seed": config.episodes,
            "seeds": config.seeds,
            "speed": config.speed,
            "entries": content(rows),
        },
    )
    if interrupted:
        raise KeyboardInterrupt("the next run goes on from here")


if __name__ == "__main__":
    run_program(main, Config, prog="python -m benchmarks.arms.ladder", description=__doc__)
