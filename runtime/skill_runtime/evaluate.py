"""skill-eval: scores a policy file, or a random baseline, on the tabletop."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tyro.conf import arg

if TYPE_CHECKING:
    from skill_proto.manifest import PolicyManifest
    from skill_runtime.evaluation import EvaluationResult, EvaluationSettings

# The rest is imported where it is used: '--help' and a mistyped flag answer at once.

USAGE = 2
"""Exit code where what was asked cannot be done."""

INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """The command line."""

    model: Path | None = None
    """The policy file, e.g. models/csf_panda.onnx."""
    baseline: Literal["iid", "constant", "ou", "still"] | None = None
    """Score a baseline instead: a fresh random action every step, one random action per episode,
    Ornstein-Uhlenbeck noise, or no motion at all."""
    skills: int = 48
    """Skills in one set, spread evenly."""
    episodes: int = 4
    """Sets; each runs every skill from starts and in contexts of its own."""
    goals: int = 128
    """Goals for the cube, within 15 cm of the middle, 6 s each; 0 leaves them out."""
    seed: int = 0
    """Of skills, goals, starts and contexts."""
    start: Literal["low", "high"] = "low"
    """low: hand just above the cube, cube within 10 cm. high: hand 20 cm up, cube within 15 cm."""
    mass: Annotated[tuple[float, float] | None, arg(metavar="LO HI")] = None
    """Range of the cube's mass [kg]; as trained unless given."""
    friction: Annotated[tuple[float, float] | None, arg(metavar="LO HI")] = None
    """Range of the cube-table friction coefficient; as trained unless given."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the policy runs; never falls back from one to the other."""
    threads: int = 1
    """Physics threads."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write metrics and settings here."""
    plot: Annotated[Path | None, arg(metavar="FILE.png")] = None
    """Draw the fan of pushes here."""


class UsageError(Exception):
    """Something that was asked cannot be done; the text says what to do instead."""


def main() -> None:
    """Runs the program and exits: 0 done, 2 cannot be done as asked, 130 interrupted."""
    arguments = tyro.cli(
        Arguments,
        prog="skill-eval",
        description="Score a policy file on the tabletop task, through ONNX Runtime.",
    )
    from skill_robots.control import UnsupportedPolicyError
    from skill_runtime.policy import PolicyError, PolicyFileError

    try:
        run(arguments)
    except (UsageError, UnsupportedPolicyError, PolicyFileError, PolicyError) as error:
        print(f"skill-eval: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except BrokenPipeError:
        # Whoever read the table, `| head` say, has seen enough; the interpreter must not
        # complain about it while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("skill-eval: interrupted; nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)


def check(arguments: Arguments) -> None:
    """Refuses what cannot be done, before anything is computed.

    Raises:
        UsageError: names the flag, what it takes, and what was given.
    """
    if (arguments.model is None) == (arguments.baseline is None):
        raise UsageError("give one of --model FILE and --baseline NAME; see --help")
    for flag, value, low, high in (
        ("skills", arguments.skills, 1, 10_000),
        ("episodes", arguments.episodes, 1, 1000),
        ("goals", arguments.goals, 0, 100_000),
        ("seed", arguments.seed, 0, 2**32 - 1),
        ("threads", arguments.threads, 1, 256),
    ):
        if not low <= value <= high:
            raise UsageError(f"--{flag} takes a number from {low} to {high}, got {value}")
    for flag, interval, least, most in (
        ("mass", arguments.mass, 0.001, 100.0),
        ("friction", arguments.friction, 0.001, 10.0),
    ):
        if interval is not None and not least <= interval[0] <= interval[1] <= most:
            raise UsageError(
                f"--{flag} LO HI takes a range from {least:g} to {most:g} with LO not above HI, "
                f"got {interval[0]:g} {interval[1]:g}"
            )
    for path in (arguments.json, arguments.plot):
        if path is not None and path.is_dir():
            raise UsageError(f"{path} is a folder; name a file to write")
        if path is not None:
            _make_folder(path)
    if arguments.plot is not None and importlib.util.find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib; install it with: pip install 'skill-serve[viz]'")


def run(arguments: Arguments) -> None:
    """Evaluates, prints the report, and writes what was asked for.

    Raises:
        UsageError, UnsupportedPolicyError, PolicyFileError, PolicyError: see each.
    """
    check(arguments)
    settings = _settings(arguments)
    started = time.monotonic()
    manifest, result = _evaluate(arguments, settings)
    report = _report(arguments, manifest, result, time.monotonic() - started)
    print(_table(report, result.metrics))
    if arguments.json is not None:
        _write_json(arguments.json, {**result.metrics, "settings": report})
    if arguments.plot is not None:
        _plot(arguments.plot, report, result)


def _settings(arguments: Arguments) -> EvaluationSettings:
    from skill_runtime.evaluation import EvaluationSettings

    return EvaluationSettings(
        skills=arguments.skills,
        episodes=arguments.episodes,
        goals=arguments.goals,
        seed=arguments.seed,
        start=arguments.start,
        mass=arguments.mass,
        friction=arguments.friction,
        threads=arguments.threads,
    )


def _evaluate(
    arguments: Arguments, settings: EvaluationSettings
) -> tuple[PolicyManifest | None, EvaluationResult]:
    from tqdm import tqdm

    from skill_robots.tasks.baselines import make_baseline
    from skill_robots.tasks.rollouts import Policy
    from skill_robots.tasks.tabletop import Tabletop
    from skill_runtime.evaluation import evaluate, total_steps
    from skill_runtime.policy import OnnxPolicy

    manifest: PolicyManifest | None = None
    policy: Policy
    if arguments.model is not None:
        policy = OnnxPolicy(arguments.model, device=arguments.device)
        manifest = policy.manifest
    else:
        policy = make_baseline(arguments.baseline or "still", Tabletop.action_size, settings.seed)
    with tqdm(
        total=total_steps(manifest, settings),
        unit="step",
        desc="evaluating",
        disable=None,
        leave=False,
    ) as bar:
        return manifest, evaluate(policy, manifest, settings, on_steps=bar.update)


def _report(
    arguments: Arguments,
    manifest: PolicyManifest | None,
    result: EvaluationResult,
    seconds: float,
) -> dict[str, Any]:
    """Everything that says which evaluation this was."""
    from skill_robots.tasks.rollouts import GOAL_STEPS

    model = arguments.model
    return {
        "command": shlex.join(["skill-eval", *sys.argv[1:]]),
        "policy": f"baseline {arguments.baseline}" if manifest is None else manifest.name,
        "model": None if model is None else str(model),
        "model_sha256": None if model is None else hashlib.sha256(model.read_bytes()).hexdigest(),
        "baseline": arguments.baseline,
        "skills": arguments.skills,
        "episodes": arguments.episodes,
        "episode_steps": result.task.episode_steps,
        "goals": arguments.goals,
        "goal_steps": GOAL_STEPS,
        "seed": arguments.seed,
        "start": arguments.start,
        "mass": list(result.task.mass),
        "friction": list(result.task.friction),
        "device": arguments.device,
        "wall_time_s": round(seconds, 2),
    }


def _summary(report: dict[str, Any]) -> str:
    mass, friction = report["mass"], report["friction"]
    return (
        f"{report['skills']} skills x {report['episodes']} episodes, {report['goals']} goals, "
        f"seed {report['seed']}, {report['start']} start, mass {mass[0]:g}-{mass[1]:g} kg, "
        f"friction {friction[0]:g}-{friction[1]:g}"
    )


def _table(report: dict[str, Any], metrics: dict[str, float | None]) -> str:
    from skill_runtime.evaluation import METRICS

    where = f" ({report['model']})" if report["model"] else ""
    lines = [
        f"{report['policy']}{where}",
        f"{_summary(report)}, {report['wall_time_s']:.1f} s",
        "",
    ]
    width = max(len(name) for name in METRICS)
    lines += [
        f"  {name:<{width}}  {_number(metrics[name]):>8}  {meaning}"
        for name, meaning in METRICS.items()
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _make_folder(path: Path) -> None:
    """Now rather than after the evaluation, so that no result is lost to a mistyped path."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"cannot write {path}: the folder {path.parent} is not writable")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    print(f"wrote {path}")


def _plot(path: Path, report: dict[str, Any], result: EvaluationResult) -> None:
    from skill_runtime.fan import save_fan

    if result.skills is None:
        raise UsageError(f"{report['policy']} takes no skills: there is no fan to draw")
    try:
        save_fan(result.skills, path, title=report["policy"], subtitle=_summary(report))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write the picture {path}: {error}") from None
    print(f"wrote {path}")
