"""What the evaluations of skill-eval have in common: who is scored, and what comes out."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.policy import Policy
from skill_runtime.evaluation.options import Arguments
from skill_runtime.policy.onnx_policy import OnnxPolicy


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What skill-eval prints and writes."""

    table: str
    content: dict[str, Any]
    """Metrics and settings, for JSON."""
    draw: Callable[[Path], None] | None = None
    """Writes a picture, where the task has one."""


def load(arguments: Arguments, action_size: int) -> tuple[Policy, PolicyManifest | None]:
    """Who is scored; a baseline has no manifest.

    Raises:
        PolicyFileError: the policy file cannot be used.
    """
    if arguments.model is not None:
        policy = OnnxPolicy(arguments.model, device=arguments.device)
        return policy, policy.manifest
    return make_baseline(arguments.baseline or "still", action_size, arguments.seed), None


def identity(arguments: Arguments, manifest: PolicyManifest | None) -> dict[str, Any]:
    """Which policy was scored by which command."""
    model = arguments.model
    return {
        "command": shlex.join(["skill-eval", *sys.argv[1:]]),
        "policy": f"baseline {arguments.baseline}" if manifest is None else manifest.name,
        "model": None if model is None else str(model),
        "model_sha256": None if model is None else hashlib.sha256(model.read_bytes()).hexdigest(),
        "baseline": arguments.baseline,
        "task": arguments.task,
        "seed": arguments.seed,
        "device": arguments.device,
    }


def title(report: dict[str, Any]) -> str:
    """Who was scored, in one line."""
    return str(report["policy"]) + (f" ({report['model']})" if report["model"] else "")
