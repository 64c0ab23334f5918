"""Options of the ladder, and the facts that must not change within the episodes of an entry."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.arms import scripted_pick
from benchmarks.arms.ladder.scores import SETS, Commands
from benchmarks.arms.scripted_pick import INTERFACE, PICK
from benchmarks.lib.ranges import PositiveFloat, PositiveInt, Seeds, Some
from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.tasks.skill_aware.scripted import pick
from skill_robots.tasks.tabletop.rollouts import GOAL_STEPS, evaluation_goals, evaluation_skills
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.tabletop import takes_goals, takes_skills
from skill_training.config import Weight
from skill_training.run.provenance import version

RungName = Literal["mujoco", "bullet", "fer", "fr3"]

LIBRARIES: dict[RungName, tuple[str, ...]] = {
    "mujoco": ("mujoco",),
    "bullet": ("pybullet",),
    "fer": ("mujoco", "panda-python"),
    "fr3": ("mujoco", "franky-control"),
}
"""Distributions whose versions matter to a rung."""

MAX_EPISODES = 10_000
"""Most episodes of a seed, so that no two episodes have the same start."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Policies, rungs and number of episodes."""

    models: Some[str] = ("models/csf_panda.onnx", "models/goal_panda.onnx", PICK)
    """Policy files; `pick` is the scripted pick-and-place controller."""
    rungs: Some[RungName] = ("mujoco", "bullet", "fer", "fr3")
    """Arms, from the plant of training upwards."""
    episodes: PositiveInt = 200
    """Episodes with skills, and as many with goals, for each policy, rung and seed; a multiple of
    4."""
    seeds: Seeds = (100, 101, 102)
    """Evaluation seeds."""
    speed: PositiveFloat = 0.8
    """Share of the arms' velocity limits, on every rung; 0.8 is the default of skill-serve --speed
    for a real arm."""
    folder: Path = Path("logs/ladder")
    """Folder of the episodes; a run goes on with those that it has."""
    hours: Weight = 0.0
    """End after this time, together with --minutes, at the end of an episode; 0 for no limit."""
    minutes: Weight = 0.0
    """End after this time, together with --hours, at the end of an episode; 0 for no limit."""
    table: bool = False
    """Run no episode, and print the table of those in the folder."""
    json: Path | None = None
    """Write all scores to this file."""

    @property
    def limit_s(self) -> float | None:
        """Longest time of the run [s]; None for no limit."""
        return 3600.0 * self.hours + 60.0 * self.minutes or None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One policy by skills or goals on one rung: a row of the table."""

    model: str
    commands: Commands
    rung: RungName

    @property
    def policy(self) -> str:
        """Name of the policy."""
        return Path(self.model).stem

    def path(self, folder: Path, seed: int) -> Path:
        """Returns the file of the episodes of one seed."""
        return folder / f"{self.policy}-{self.commands}-{self.rung}-{seed}.jsonl"

    def __str__(self) -> str:
        return f"{self.policy}, {self.commands}, {self.rung}"


def entries_of(model: str, manifest: PolicyManifest, rung: RungName) -> Iterator[Entry]:
    """Lists the entries of a policy on a rung."""
    if takes_skills(manifest):
        yield Entry(model=model, commands="skills", rung=rung)
    if takes_goals(manifest):
        yield Entry(model=model, commands="goals", rung=rung)


def vectors_of(entry: Entry, manifest: PolicyManifest, episodes: int, seed: int) -> Array:
    """Returns skill or goal ``(n, Z)`` of every episode of a seed."""
    if entry.commands == "goals":
        return evaluation_goals(episodes, seed)
    space = manifest.skill
    return np.tile(evaluation_skills(space.kind, space.size, episodes // SETS, seed), (SETS, 1))


def steps_of(entry: Entry) -> int:
    """Returns the control steps of an episode."""
    return GOAL_STEPS if entry.commands == "goals" else TabletopConfig().episode_steps


def start_seed(entry: Entry, seed: int, episode: int) -> int:
    """Returns the seed of the start of one episode: the same on every rung, and in a repetition."""
    return (2 * seed + (entry.commands == "goals")) * MAX_EPISODES + episode


def facts_of(entry: Entry, config: Config, seed: int) -> dict[str, object]:
    """Returns what must be equal for all episodes of a file: model, settings and libraries."""
    facts: dict[str, object] = {
        "policy": entry.policy,
        "commands": entry.commands,
        "rung": entry.rung,
        "seed": seed,
        "episodes": config.episodes,
        "speed": config.speed,
        "model_sha256": _model_hash(entry.model),
    }
    if entry.rung in ("fer", "fr3"):
        facts |= {f"driver.{name}": value for name, value in asdict(DriverConfig()).items()}
    return facts | {name: version(name) for name in LIBRARIES[entry.rung]}


def _model_hash(model: str) -> str:
    """Returns the start of the hash of a policy file, or of the code of the scripted pick."""
    content = Path(INTERFACE if model == PICK else model).read_bytes()
    if model == PICK:
        content += (inspect.getsource(pick) + inspect.getsource(scripted_pick)).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def check(config: Config) -> None:
    """Refuses options that make no table.

    Raises:
        UsageError: an option is refused.
    """
    if config.episodes <= 0 or config.episodes % SETS or config.episodes > MAX_EPISODES:
        raise UsageError(
            f"--episodes takes a positive multiple of {SETS} up to {MAX_EPISODES}, because the "
            f"episodes are divided among {SETS} sets of skills; got {config.episodes}"
        )
    if config.hours < 0.0 or config.minutes < 0.0:
        raise UsageError("--hours and --minutes take no negative times")
    for model in config.models:
        if model != PICK and not Path(model).is_file():
            raise UsageError(f"no policy file {model}")
