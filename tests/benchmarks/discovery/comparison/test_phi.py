"""Phi of the shipped policy, and the skills in the plane that it gives the cube."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.discovery.comparison.phi import NoPhiError, load_phi, skills_in_plane, slopes
from tests.support.policy_files import write_policy_file

from skill_robots.observation import PUSH_OBSERVATION, layout, scales
from skill_runtime.policy import OnnxPolicy

MODEL = Path("models/csf_panda.onnx")


def observations(count: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.uniform(-0.1, 0.1, (count, len(scales(PUSH_OBSERVATION))))


def test_phi_of_a_file_gives_the_skill_to_a_goal() -> None:
    """The file itself computes z = (phi(g) - phi(s)) / |phi(g) - phi(s)|."""
    phi, policy, here = load_phi(MODEL), OnnxPolicy(MODEL), observations(5)
    goal, there = np.array([[0.08, -0.05]] * 5), here.copy()
    cube = layout(PUSH_OBSERVATION)["cube_position"].start
    there[:, cube : cube + 2] = goal
    policy.reset(5)
    used = policy.step(here, goal=goal).skill_used
    offset = phi(there) - phi(here)
    np.testing.assert_allclose(
        used, offset / np.linalg.norm(offset, axis=1, keepdims=True), atol=1e-5
    )


def test_the_slopes_of_a_rotation_are_equal_and_its_plane_is_the_circle() -> None:
    phi, states = load_phi(MODEL), observations(7)
    cube = layout(PUSH_OBSERVATION)["cube_position"].start
    directions = np.zeros((2, states.shape[1]))
    directions[[0, 1], [cube, cube + 1]] = 1.0
    jacobian = slopes(phi, states, directions)
    first, second = np.linalg.svd(jacobian, compute_uv=False)
    assert first == pytest.approx(second, rel=1e-3)
    skills = skills_in_plane(jacobian, np.eye(2))
    np.testing.assert_allclose(skills @ skills.T, np.eye(2), atol=1e-3)


def test_skills_in_a_plane_are_unit_vectors_along_its_image() -> None:
    jacobian = np.array([[2.0, 0.0], [0.0, 0.0], [0.0, 0.5]])
    skills = skills_in_plane(jacobian, np.array([[1.0, 0.0], [0.0, -1.0], [0.6, 0.8]]))
    norm = np.hypot(1.2, 0.4)
    expected = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [1.2 / norm, 0.0, 0.4 / norm]]
    np.testing.assert_allclose(skills, expected)


def test_a_policy_without_goals_has_no_phi(tmp_path: Path) -> None:
    with pytest.raises(NoPhiError, match="give the run directory"):
        load_phi(write_policy_file(tmp_path))
    with pytest.raises(NoPhiError, match="is not a run directory"):
        load_phi(tmp_path)
    with pytest.raises(NoPhiError, match="cannot read"):
        load_phi(tmp_path / "missing.onnx")
