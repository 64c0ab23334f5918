"""The command line of skill-eval, and what of it cannot be done.

Nothing heavy is imported: '--help' and a mistyped flag answer at once.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from skill_proto.bounds import FRICTION, MASS_KG
from skill_runtime.console.flags import UsageError, check_number
from skill_runtime.console.output_file import check_writable

Span = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The command line; what is None takes the task's default."""

    model: Path | None = None
    """The policy file, e.g. models/csf_panda.onnx."""
    baseline: Literal["iid", "constant", "ou", "still"] | None = None
    """Score a baseline instead: a fresh random action every step, one random action per episode,
    Ornstein-Uhlenbeck noise, or no motion at all."""
    task: Literal["tabletop", "skill-aware"] = "tabletop"
    """tabletop: pushes and goals on the served plant. skill-aware: SaMI's benchmark, a cube to be
    brought to a goal in 20 cells of friction and mass."""
    engine: Annotated[Literal["bullet", "mujoco"] | None, arg(metavar="{bullet,mujoco}")] = None
    """skill-aware only. bullet (default): panda-gym, as published. mujoco: its twin."""
    skills: Annotated[int | None, arg(metavar="INT")] = None
    """tabletop only. Skills in one set, spread evenly (48)."""
    episodes: Annotated[int | None, arg(metavar="INT")] = None
    """tabletop: sets; each runs every skill from starts and in contexts of its own (4).
    skill-aware: episodes in every cell (50)."""
    goals: Annotated[int | None, arg(metavar="INT")] = None
    """tabletop only. Goals for the cube, within 15 cm of the middle, 6 s each (128); 0: none."""
    seed: int = 0
    """Of skills, goals, starts and contexts."""
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
    """Write metrics and settings here."""
    plot: Annotated[Path | None, arg(metavar="FILE.png")] = None
    """tabletop only. Draw the fan of pushes here."""


def check(arguments: Arguments) -> None:
    """Refuses what cannot be done, before anything is computed.

    Raises:
        UsageError: names the flag, what it takes, and what was given.
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
    others = ("skills", "goals", "start", "mass", "friction", "plot")
    if arguments.task == "tabletop":
        others = ("engine",)
    elif arguments.engine != "mujoco":
        others = (*others, "threads")
    given = [f"--{name}" for name in others if getattr(arguments, name) is not None]
    if given == ["--threads"]:
        raise UsageError("--threads is for MuJoCo; PyBullet has none. Leave it out")
    if given:
        here, there = "tabletop", "skill-aware"
        if arguments.task == here:
            here, there = there, here
        raise UsageError(f"{', '.join(given)}: for --task {here}, not for {there}; leave it out")


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
