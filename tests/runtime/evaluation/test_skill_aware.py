"""skill-eval on the skill-aware benchmark computes the benchmark's own result."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.skill_aware_policy import write_skill_aware_policy_file

from skill_robots.tasks.skill_aware.benchmark import Cell, benchmark
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.skill_aware import evaluate_skill_aware
from skill_runtime.policy import OnnxPolicy


@pytest.fixture
def skill_aware_file(tmp_path: Path) -> Path:
    return write_skill_aware_policy_file(tmp_path)


def test_skill_eval_reports_the_result_of_the_benchmark(skill_aware_file: Path) -> None:
    arguments = EvaluationOptions(
        model=skill_aware_file, task="skill-aware", engine="mujoco", episodes=1, seed=5
    )
    content = evaluate_skill_aware(arguments).content
    scenes = make_scenes("mujoco", 4)
    direct = benchmark(OnnxPolicy(skill_aware_file), scenes, episodes=1, seed=5)
    scenes.close()
    assert content["cells"] == direct.cells
    assert content["labels"] == direct.labels
    assert content["success"] == direct.success
    assert content["at_end"] == direct.at_end


def test_a_policy_file_scores_the_same_twice_on_bullet(skill_aware_file: Path) -> None:
    pytest.importorskip("panda_gym", reason="panda-gym is not installed")
    scenes = make_scenes("bullet", 2)
    cells = (Cell(0.1, 1.0), Cell(30.0, 30.0))
    policy = OnnxPolicy(skill_aware_file)
    first = benchmark(policy, scenes, cells=cells, episodes=2, seed=1)
    again = benchmark(policy, scenes, cells=cells, episodes=2, seed=1)
    scenes.close()
    assert first == again
