"""What one inference of a policy costs beside that of another, in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skill_runtime.policy.onnx_policy import OnnxPolicy

BLOCK = 50
"""Inferences of one policy before it is the other's turn: what slows the machine slows both."""

BLOCKS = 60
"""Of each policy."""


@dataclass(frozen=True, kw_only=True)
class Inference:
    """Of one policy file, one slot, in microseconds: graph, memory and all."""

    model: str
    rows: int
    """Of the graph's batch in the long run: 2 where a successor grows up beside the state."""
    p50: float
    p99: float


def compare(models: list[Path]) -> list[Inference]:
    """Times of the policies, measured in turns, once each is older than its horizon."""
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
    """Takes one step towards a goal where the policy takes goals, else with a skill."""
    manifest = policy.manifest
    observation = np.random.default_rng(0).normal(0.0, 0.1, manifest.observation_size)
    if manifest.goal is not None:
        goal = np.array(manifest.goal.high)
        return lambda: policy.step(observation, goal=goal)
    skill = np.eye(manifest.skill.size)[0] if manifest.skill.size else None
    return lambda: policy.step(observation, skill)
