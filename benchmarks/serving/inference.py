"""Duration of one inference of several policies, measured in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skill_runtime.policy import OnnxPolicy

BLOCK = 50
"""Inferences of one policy in one turn. Turns expose all policies to the same load."""

BLOCKS = 60
"""Turns of each policy."""


@dataclass(frozen=True, kw_only=True)
class Inference:
    """Duration of one policy step with one slot [us], the recurrent state included."""

    model: str
    rows: int
    """Batch size of the graph: 2 with a standby state, otherwise 1."""
    p50: float
    p99: float


def compare(models: list[Path]) -> list[Inference]:
    """Measures the policies in turns, after each has passed its horizon."""
    policies = [OnnxPolicy(model) for model in models]
    steps = [_stepper(policy) for policy in policies]
    for policy, step in zip(policies, steps, strict=True):
        oldest = max(
            (state.trained_horizon_steps for state in policy.manifest.recurrent), default=1
        )
        for _ in range(max(oldest, BLOCK)):
            step()
    times = np.zeros((len(models), BLOCKS, BLOCK))
    for block in range(BLOCKS):
        for row, step in enumerate(steps):
            for i in range(BLOCK):
                start = time.perf_counter()
                step()
                times[row, block, i] = time.perf_counter() - start
    return [
        Inference(
            model=model.name,
            rows=_rows(policy),
            p50=float(np.median(each) * 1e6),
            p99=float(np.percentile(each, 99) * 1e6),
        )
        for model, policy, each in zip(models, policies, times, strict=True)
    ]


def _rows(policy: OnnxPolicy) -> int:
    return 2 if any(s.beyond_horizon == "stagger" for s in policy.manifest.recurrent) else 1


def _stepper(policy: OnnxPolicy) -> Callable[[], object]:
    """Returns one step of the policy: with a goal if the policy takes goals, else with a skill."""
    manifest = policy.manifest
    observation = np.random.default_rng(0).normal(0.0, 0.1, manifest.observation_size)
    if manifest.goal is not None:
        goal = np.array(manifest.goal.high)
        return lambda: policy.step(observation, goal=goal)
    skill = np.eye(manifest.skill.size)[0] if manifest.skill.size else None
    return lambda: policy.step(observation, skill)
