"""Policies of Stable-Baselines3 and rsl_rl, exported their way, are served and arrive."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benchmarks.serving.foreign import manifests, rsl, sb3
from benchmarks.serving.foreign.reach import HIGH, LOW
from benchmarks.serving.foreign.served import draw_goals, goal_distances, served

from skill_robots.franka.specs import PANDA
from skill_runtime.policy import PolicyFileError
from skill_runtime.policy.foreign.explain import find_problems

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of torch, Stable-Baselines3 and rsl_rl
]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def median_distance(path: Path, fill_in: Callable[[dict[str, Any]], dict[str, Any]]) -> float:
    """Describes a file, and returns the median distance from three goals after 50 steps [m]."""
    manifests.write_manifest(path, fill_in)
    problems, _ = find_problems(path, PANDA)
    assert problems == []
    with served(path) as client:
        return float(np.median(goal_distances(client, draw_goals(LOW, HIGH, 3, 5), 50)))


def test_a_policy_of_stable_baselines3_reaches_its_goals(tmp_path: Path) -> None:
    path = tmp_path / "sb3.onnx"
    sb3.export(sb3.train(8192), path)
    with pytest.raises(PolicyFileError, match="skill-manifest draft"):
        find_problems(path, PANDA)
    assert median_distance(path, manifests.sb3_by_hand) < 0.03


def test_a_recurrent_policy_of_rsl_rl_reaches_its_goals(tmp_path: Path) -> None:
    path = tmp_path / "rsl.onnx"
    with contextlib.redirect_stdout(io.StringIO()):
        rsl.export(rsl.train(30, n=96), path)
    assert median_distance(path, manifests.rsl_by_hand) < 0.12
    manifests.attach_metadata(path)
    assert manifests.write_manifest(path, manifests.metadata_by_hand) < manifests.write_manifest(
        path, manifests.rsl_by_hand
    )
