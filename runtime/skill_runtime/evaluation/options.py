"""Command-line options of skill-eval and their validation.

Nothing heavy is imported, so that ``--help`` and a mistyped flag answer at once.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from skill_proto.bounds import FRICTION, MASS_KG
from skill_robots.tasks.registry import TASKS, task_of_option
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_robots.tasks.task import EvaluationKind, TaskOption
from skill_runtime.console.flags import UsageError, check_number
from skill_runtime.console.output_file import check_writable

Span = tuple[float, float]

_OPTIONS: dict[EvaluationKind, tuple[str, ...]] = {
    "skills_and_goals": ("skills", "goals", "start", "mass", "friction", "plot"),
    "cells": ("engine",),
}
"""Options that belong to one kind of evaluation only."""


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The command line; an option that is None has the task's default."""

    model: Path | None = None
    """The policy file, e.g. models/csf_panda.onnx."""
    baseline: Literal["iid", "constant", "ou", "still"] | None = None
    """Score a baseline instead: a fresh random action every step, one random action per episode,
    Ornstein-Uhlenbeck noise, or no motion at all."""
    task: TaskOption = TABLETOP.option
    """tabletop: pushes and goals on the served plant. skill-aware: SaMI's benchmark, a cube to be
    brought to a goal in 20 cells of friction and mass."""
    engine: Annotated[Literal["bullet", "mujoco"] | None, arg(metavar="{bullet,mujoco}")] = None
    """skill-aware only. bullet (default): panda-gym, as published. mujoco: its twin."""
    skills: Annotated[int | None, arg(metavar="INT")] = None
    """tabletop only. Skills in one set, spread evenly (48)."""
    episodes: Annotated[int | None, arg(metavar="INT")] = None
    """tabletop: sets of skills, each with its own starts and contexts (4).
    skill-aware: episodes in every cell (50)."""
    goals: Annotated[int | None, arg(metavar="INT")] = None
    """tabletop only. Goals for the cube, within 15 cm of the middle, 6 s each (128); 0 skips
    them."""
    seed: int = 0
    """Seed of skills, goals, starts and contexts."""
    start: Annotated[Literal["low", "high"] | None, arg(metavar="{low,high}")] = None
    """tabletop only. low (default): hand just above the cube, cube within 10 cm. high: hand 20 cm
    up, cube within 15 cm."""
    mass: Annotated[Span | None, arg(metavar="LO HI")] = None
    """tabletop only. Range of the cube's mass [kg]; as trained unless given."""
    friction: Annotated[Span | None, arg(metavar="LO HI")] = None
    """tabletop only. Range of the effective coefficient between cube and table, half of a
    skill-aware benchmark label; as trained unless given."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the policy runs; never falls back from one to the other."""
    threads: Annotated[int | None, arg(metavar="INT")] = None
    """Threads for MuJoCo (1)."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write metrics and settings to this file."""
    plot: Annotated[Path | None, arg(metavar="FILE.png")] = None
    """tabletop only. Write a picture of the pushes to this file."""


def check(arguments: Arguments) -> None:
    """Refuses an impossible request before anything is computed.

    Raises:
        UsageError: names the flag, its valid values, and the given value.
    """
    if (arguments.model is None) == (arguments.baseline is None):
        raise UsageError("give one of --model FILE and --baseline NAME; see --help")
    _check_task(arguments)
    _check_numbers(arguments)
    for path in (arguments.json, arguments.plot):
        if path is not None:
            check_writable(path)
    if arguments.plot is not None and importlib.util.find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib; install it with: pip install 'skill-serve[viz]'")


def _check_task(arguments: Arguments) -> None:
    """Refuses options that belong to another task."""
    kind = task_of_option(arguments.task).evaluation
    foreign = [name for other, names in _OPTIONS.items() if other != kind for name in names]
    if kind == "cells" and arguments.engine != "mujoco":
        foreign.append("threads")
    given = [f"--{name}" for name in foreign if getattr(arguments, name) is not None]
    if given == ["--threads"]:
        raise UsageError("--threads is for MuJoCo; PyBullet has none. Leave it out")
    if given:
        others = ", ".join(task.option for task in TASKS.values() if task.evaluation != kind)
        raise UsageError(
            f"{', '.join(given)}: for --task {others}, not for {arguments.task}; leave it out"
        )


def _check_numbers(arguments: Arguments) -> None:
    for flag, value, low, high in (
        ("skills", arguments.skills, 1, 10_000),
        ("episodes", arguments.episodes, 1, 1000),
        ("goals", arguments.goals, 0, 100_000),
        ("seed", arguments.seed, 0, 2**32 - 1),
        ("threads", arguments.threads, 1, 256),
    ):
        check_number(flag, value, low, high)
    for flag, interval, least, most in (
        ("mass", arguments.mass, *MASS_KG),
        ("friction", arguments.friction, *FRICTION),
    ):
        if interval is not None and not least <= interval[0] <= interval[1] <= most:
            raise UsageError(
                f"--{flag} LO HI takes a range from {least:g} to {most:g} with LO not above HI, "
                f"got {interval[0]:g} {interval[1]:g}"
            )
