"""Parts that the evaluations of skill-eval share: the policy, and the outcome."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skill_proto.manifest import (
    PolicyManifest,
)
from skill_robots.franka.specs import PANDA
from skill_robots.motion.policy_support import UnsupportedPolicyError, check_supported
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.registry import find_task, task_of_option
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.tasks.task import Task
from skill_robots.worlds.errors import WorldError
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.policy import OnnxPolicy
from skill_runtime.policy.plant_remarks import plant_remarks


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The output of skill-eval."""

    table: str
    """Text for the terminal."""
    content: dict[str, Any]
    """Metrics and settings, for JSON."""
    draw: Callable[[Path], None] | None = None
    """Writes a picture to a file; None if the task has no picture."""
    film: Callable[[Path], None] | None = None
    """Writes a film to a file; None if the task has no film."""


@contextmanager
def film_errors(text: str) -> Generator[None]:
    """Names what cannot be filmed in the words of the command line."""
    try:
        yield
    except WorldError as error:
        raise UsageError(f"{text}: {error}") from None


def load(arguments: EvaluationOptions, action_size: int) -> tuple[Policy, PolicyManifest | None]:
    """Returns the policy to score, and its manifest; a baseline has no manifest.

    Raises:
        PolicyFileError: the policy file cannot be used.
        UnsupportedPolicyError: the policy was trained on another task, or its manifest contradicts
            the robot.
    """
    if arguments.model is not None:
        policy = OnnxPolicy(arguments.model, device=arguments.device)
        check_task(policy.manifest, task_of_option(arguments.task))
        check_supported(PANDA, policy.manifest)
        return policy, policy.manifest
    return make_baseline(arguments.baseline or "still", action_size, arguments.seed), None


def check_task(manifest: PolicyManifest, task: Task) -> None:
    """Checks that the policy was trained on ``task``.

    Raises:
        UnsupportedPolicyError: it was trained on another task; the message names the right option.
    """
    trained = find_task(manifest.arm_plant.task)
    if trained is not task:
        raise UnsupportedPolicyError(
            f"{manifest.name} was trained on the task {manifest.arm_plant.task!r}, not on "
            f"{task.title}; evaluate it with --task {trained.option}"
        )


def identity(
    arguments: EvaluationOptions, policy: Policy, manifest: PolicyManifest | None
) -> dict[str, Any]:
    """Returns the settings that identify policy, command and task of an arm, for JSON."""
    return policy_facts(arguments, policy, manifest) | {
        "task": arguments.task,
        "remarks": _remarks(arguments, manifest),
    }


def policy_facts(
    arguments: EvaluationOptions, policy: Policy, manifest: PolicyManifest | None
) -> dict[str, Any]:
    """Returns the settings that identify policy and command, for JSON."""
    model = arguments.model
    return {
        "command": shlex.join(["skill-eval", *sys.argv[1:]]),
        "policy": f"baseline {arguments.baseline}" if manifest is None else manifest.name,
        "model": None if model is None else str(model),
        "model_sha256": policy.sha256 if isinstance(policy, OnnxPolicy) else None,
        "baseline": arguments.baseline,
        "seed": arguments.seed,
        "device": arguments.device,
    }


def _remarks(arguments: EvaluationOptions, manifest: PolicyManifest | None) -> list[str]:
    """Lists the differences of the evaluated plant from that of training."""
    if manifest is None:
        return []
    step_s = TabletopConfig().physics_step_s
    return plant_remarks(manifest, PANDA, step_s, task_of_option(arguments.task))


def title(report: Mapping[str, Any]) -> str:
    """Returns name and file of the policy in one line, and each remark on a line of its own."""
    name = str(report["policy"]) + (f" ({report['model']})" if report["model"] else "")
    return "\n".join([name, *(f"note: {remark}" for remark in report["remarks"])])
