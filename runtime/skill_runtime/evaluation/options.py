"""Command-line options of skill-eval and their validation.

Heavy modules are not imported, so that ``--help`` and a mistyped flag answer at once.
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
from skill_runtime.console.flags import ModelFlag, UsageError, check_number
from skill_runtime.console.output_file import check_distinct, check_writable

Interval = tuple[float, float]

FILM_FORMATS = (".gif", ".png", ".webp")
"""Ends of the names of films: animated GIF, APNG, and WebP, which is the smallest."""

PLOT_FORMATS = (".png", ".pdf", ".svg")
"""Ends of the names of pictures."""

_OPTIONS: dict[EvaluationKind, tuple[str, ...]] = {
    "skills_and_goals": ("skills", "goals", "start", "mass", "friction", "plot", "video"),
    "cells": (),
}
"""Options that belong to one kind of evaluation only."""


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """The command line; an option that is None has the task's default."""

    model: Annotated[ModelFlag | None, arg(metavar="MODEL", help_behavior_hint="")] = None
    """Policy file, or the name of a model that comes with skill-serve, e.g. csf_panda."""
    baseline: Annotated[
        Literal["iid", "constant", "ou", "still"] | None,
        arg(metavar="{iid,constant,ou,still}", help_behavior_hint=""),
    ] = None
    """Score a baseline instead. iid: a new random action every step. constant: one random action
    per episode. ou: Ornstein-Uhlenbeck noise. still: no motion."""
    task: TaskOption = TABLETOP.option
    """tabletop: pushes and goals on the served plant. skill-aware: SaMI's benchmark, a cube to be
    brought to a goal in 20 cells of friction and mass."""
    world: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")] = None
    """World without an arm, as for skill-train --world. A policy file knows its own; it must be
    given for a baseline, and for a world that is code of your own."""
    coordinates: Annotated[
        tuple[str, ...] | None, arg(metavar="ENTRY ...", help_behavior_hint="(default: as trained)")
    ] = None
    """Gymnasium environments only. Observation entries that coverage is about."""
    cell: Annotated[
        float | None, arg(metavar="SIZE", help_behavior_hint="(default: as trained, else 1)")
    ] = None
    """Gymnasium environments with coordinates only. Side of a cell of coverage, in their unit."""
    contexts: Annotated[
        Literal["train", "moderate", "extreme"] | None,
        arg(metavar="{train,moderate,extreme}", help_behavior_hint="(default: as trained)"),
    ] = None
    """Worlds with hidden quantities only, such as varied_ant. Set from which the quantities of an
    episode are drawn: that of training, or one of two tests of growing difficulty."""
    engine: Annotated[
        Literal["bullet", "mujoco"] | None,
        arg(metavar="{bullet,mujoco}", help_behavior_hint="(default: mujoco; skill-aware: bullet)"),
    ] = None
    """tabletop: mujoco is the plant of training; bullet is panda-gym's robot under the same joint
    impedance. skill-aware: bullet is panda-gym, as published; mujoco is the same scene."""
    skills: Annotated[int | None, arg(metavar="INT", help_behavior_hint="(default: 48)")] = None
    """Skills in one set, spread evenly; not for skill-aware."""
    episodes: Annotated[
        int | None, arg(metavar="INT", help_behavior_hint="(default: 4; skill-aware: 50)")
    ] = None
    """tabletop: sets of skills, each with its own starts and contexts. skill-aware: episodes in
    every cell."""
    goals: Annotated[int | None, arg(metavar="INT", help_behavior_hint="(default: 128)")] = None
    """tabletop: goals for the cube, within 15 cm of the centre, 6 s each. A world without an arm:
    goals in its box. 0 skips them."""
    seed: int = 0
    """Seed of skills, goals, starts and contexts."""
    start: Annotated[
        Literal["low", "high"] | None,
        arg(metavar="{low,high}", help_behavior_hint="(default: low)"),
    ] = None
    """tabletop only. low: end effector just above the cube, cube within 10 cm. high: end effector
    at 20 cm, cube within 15 cm."""
    mass: Annotated[
        Interval | None, arg(metavar="LO HI", help_behavior_hint="(default: as trained)")
    ] = None
    """tabletop only. Range of the cube's mass [kg]."""
    friction: Annotated[
        Interval | None, arg(metavar="LO HI", help_behavior_hint="(default: as trained)")
    ] = None
    """tabletop only. Range of the effective friction coefficient of cube and table, half of a
    skill-aware benchmark label."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of the policy; there is no fallback from one to the other."""
    threads: Annotated[int | None, arg(metavar="INT", help_behavior_hint="(default: 1)")] = None
    """Threads for MuJoCo."""
    json: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Write metrics and settings to this file."""
    plot: Annotated[Path | None, arg(metavar="FILE.png", help_behavior_hint="")] = None
    """Write a picture of the pushes, or of the paths in a world with coordinates, to this file:
    .png, .pdf or .svg."""
    video: Annotated[Path | None, arg(metavar="FILE.gif", help_behavior_hint="")] = None
    """Write a film of some skills and goals to this file: .gif, .png (animated) or .webp, which is
    the smallest. Worlds: the bodies of MuJoCo."""


def check_options(arguments: EvaluationOptions) -> None:
    """Checks the options before anything is computed.

    Args:
        arguments: The command line, with the file of the policy in place of the name of a model.

    Raises:
        UsageError: An option is missing, foreign to the task or out of range; the text names it.
    """
    if (arguments.model is None) == (arguments.baseline is None):
        raise UsageError("give one of --model MODEL and --baseline NAME; see --help")
    if arguments.world is not None:
        check_world_options(arguments)
    _check_task(arguments)
    _check_numbers(arguments)
    if arguments.coordinates == ():
        raise UsageError(
            "--coordinates takes one or more observation entries, such as position.0; name some, "
            "or leave it out"
        )
    _check_pictures(arguments)
    _check_files(arguments)


def output_files(arguments: EvaluationOptions) -> dict[str, Path]:
    """Returns the files to write, by flag."""
    given = {"--json": arguments.json, "--plot": arguments.plot, "--video": arguments.video}
    return {flag: path for flag, path in given.items() if path is not None}


def check_world_options(arguments: EvaluationOptions) -> None:
    """Refuses options that belong to an arm.

    Raises:
        UsageError: names them.
    """
    foreign = ("engine", "episodes", "start", "mass", "friction", "threads")
    given = [f"--{name}" for name in foreign if getattr(arguments, name) is not None]
    if arguments.task != TABLETOP.option:
        given.append("--task")
    if given:
        raise UsageError(f"{', '.join(given)}: for policies of an arm; omit it")


def _check_task(arguments: EvaluationOptions) -> None:
    """Refuses options that belong to another task."""
    kind = task_of_option(arguments.task).evaluation
    foreign = [name for other, names in _OPTIONS.items() if other != kind for name in names]
    default = "bullet" if kind == "cells" else "mujoco"
    if (arguments.engine or default) == "bullet":
        foreign.append("threads")
    given = [f"--{name}" for name in foreign if getattr(arguments, name) is not None]
    if given == ["--threads"]:
        raise UsageError("--threads is for MuJoCo; PyBullet has no threads; omit it")
    if given:
        others = ", ".join(task.option for task in TASKS.values() if task.evaluation != kind)
        raise UsageError(
            f"{', '.join(given)}: for --task {others}, not for {arguments.task}; omit it"
        )


def _check_pictures(arguments: EvaluationOptions) -> None:
    """Refuses a picture or a film in an unknown format, or without the package for it."""
    for flag, path, package, formats in (
        ("plot", arguments.plot, "matplotlib", PLOT_FORMATS),
        ("video", arguments.video, "PIL", FILM_FORMATS),
    ):
        if path is None:
            continue
        if importlib.util.find_spec(package) is None:
            name = {"PIL": "pillow"}.get(package, package)
            raise UsageError(
                f"--{flag} needs {name}; install it with: pip install 'skill-serve[viz]'"
            )
        if path.suffix.lower() not in formats:
            raise UsageError(f"--{flag} {path}: the name must end in one of {', '.join(formats)}")


def _check_files(arguments: EvaluationOptions) -> None:
    """Refuses files that cannot be written, or that replace one another or the policy."""
    outputs, inputs = output_files(arguments), dict[str, Path]()
    if arguments.model is not None and arguments.model.is_file():
        inputs["--model"] = arguments.model
        for path in (arguments.model, arguments.model.resolve()):
            inputs[f"the manifest beside {path.name}"] = path.with_suffix(".manifest.json")
    check_distinct(outputs, inputs)
    for flag, path in outputs.items():
        check_writable(path, flag)


def _check_numbers(arguments: EvaluationOptions) -> None:
    for flag, value, low, high in (
        ("skills", arguments.skills, 1, 10_000),
        ("episodes", arguments.episodes, 1, 1000),
        ("goals", arguments.goals, 0, 100_000),
        ("seed", arguments.seed, 0, 2**32 - 1),
        ("threads", arguments.threads, 1, 256),
        ("cell", arguments.cell, 1e-9, 1e9),
    ):
        check_number(flag, value, low, high)
    for flag, interval, least, most in (
        ("mass", arguments.mass, *MASS_KG),
        ("friction", arguments.friction, *FRICTION),
    ):
        if interval is not None and not least <= interval[0] <= interval[1] <= most:
            raise UsageError(
                f"--{flag} LO HI takes a range from {least:g} to {most:g} with LO not above HI, "
                f"got {interval[0]:g} {interval[1]:g}; give such a range, or omit the flag"
            )
