"""Skills follow their prior."""

from __future__ import annotations

import math

import pytest
import torch

from skill_training.algorithms.skills import sample_skills


@pytest.mark.parametrize("size", [1, 2, 5])
def test_sphere_skills_have_unit_length(size: int) -> None:
    skills = sample_skills(1000, size, torch.Generator().manual_seed(0))
    assert skills.shape == (1000, size)
    torch.testing.assert_close(skills.norm(dim=-1), torch.ones(1000))


def test_circle_skills_are_uniform_in_angle() -> None:
    skills = sample_skills(16_000, 2, torch.Generator().manual_seed(0))
    angle = torch.atan2(skills[:, 1], skills[:, 0])
    counts = torch.histc(angle, bins=16, min=-math.pi, max=math.pi)
    chi_square = float(((counts - 1000).square() / 1000).sum())
    assert chi_square < 37.7  # 99.9 % point of chi-square with 15 degrees of freedom


def test_sphere_skills_are_uniform_along_an_axis() -> None:
    # Archimedes: on the sphere in three dimensions each coordinate is uniform in [-1, 1].
    height = sample_skills(16_000, 3, torch.Generator().manual_seed(0))[:, 2]
    counts = torch.histc(height, bins=16, min=-1.0, max=1.0)
    assert float(((counts - 1000).square() / 1000).sum()) < 37.7


def test_one_hot_skills_name_each_skill_equally_often() -> None:
    skills = sample_skills(8000, 4, torch.Generator().manual_seed(0), "one_hot")
    assert skills.dtype == torch.float32
    assert set(skills.sum(-1).tolist()) == {1.0}
    assert set(skills.unique().tolist()) == {0.0, 1.0}
    assert float((skills.mean(0) - 0.25).abs().max()) < 0.02


def test_skills_depend_only_on_the_generator() -> None:
    draws = [sample_skills(4, 3, torch.Generator().manual_seed(seed)) for seed in (7, 7, 8)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
