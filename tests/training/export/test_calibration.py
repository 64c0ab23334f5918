"""Calibration of contexts: distances from held-out contexts, and estimates."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from skill_training.data.episodes import Episodes
from skill_training.export.calibration import (
    HeldOut,
    calibrated_context,
    estimated,
    hold_out,
    log_r2,
)
from skill_training.recipes.goal.config import GoalConfig, GoalSacConfig
from skill_training.recipes.goal.recipe import build_algorithm
from skill_training.recipes.goal.world import GoalTaskConfig, GoalWorld

CHI_6_AT_95 = 3.5485
"""95 % of six-dimensional standard normal vectors are shorter: the root of 12.592."""


def _held(
    contexts: np.ndarray, truth: np.ndarray, estimates: np.ndarray, episodes: Episodes
) -> HeldOut:
    return HeldOut(contexts=contexts, estimates=estimates, truth=truth, episodes=episodes)


@pytest.fixture
def held(make_episodes: object) -> HeldOut:
    """Contexts of a known normal distribution; mass estimated exactly, friction not at all."""
    random = np.random.default_rng(0)
    mix = np.diag([1.0, 2.0, 0.1, 5.0, 1.0, 1.0]) + 0.3 * random.standard_normal((6, 6))
    contexts = random.standard_normal((2000, 11, 6)) @ mix.T + np.arange(6)
    contexts[:, :5] += 1000.0  # the first half of an episode does not count
    truth = random.standard_normal((2000, 11, 2))
    estimates = truth.copy()
    estimates[..., 1] = 0.0
    assert callable(make_episodes)
    return _held(contexts, truth, estimates, make_episodes(1))


def test_distances_are_mahalanobis_and_95_percent_lie_within_one(held: HeldOut) -> None:
    context = calibrated_context(held)
    late = held.contexts[:, 5:].reshape(-1, 6)
    whitening = np.array(context.whitening)
    np.testing.assert_allclose(context.center, late.mean(0))
    np.testing.assert_allclose(
        np.linalg.inv(whitening.T @ whitening), np.cov(late.T), rtol=1e-3, atol=1e-3
    )
    distance = np.linalg.norm((late - context.center) @ whitening.T, axis=1)
    assert np.mean(distance / context.typical_distance <= 1.0) == pytest.approx(0.95, abs=1e-3)
    assert context.typical_distance == pytest.approx(CHI_6_AT_95, rel=0.02)


def test_release_fault_5_estimates_have_the_right_names(held: HeldOut) -> None:
    context = calibrated_context(held)
    (mass,), (friction,) = context.estimates, context.unidentified
    assert estimated(context) == (0,)
    assert (mass.name, mass.unit, mass.log_r2) == ("cube_mass", "kg", 1.0)
    assert (friction.name, friction.unit) == ("cube_table_friction", "1")
    assert friction.log_r2 == pytest.approx(0.0, abs=0.01)


def test_a_constant_context_entry_keeps_distances_finite(held: HeldOut) -> None:
    still = held.contexts.copy()
    still[..., 2] = 7.0
    context = calibrated_context(_held(still, held.truth, held.estimates, held.episodes))
    assert np.isfinite(context.whitening).all()
    assert context.center[2] == pytest.approx(7.0)
    assert 0 < context.typical_distance < 10


def test_r2_by_hand() -> None:
    truth = np.array([[0.0, 1.0], [2.0, 1.0]])
    # Errors of 0.5 at a spread of 1 leave a quarter; R2 of a constant quantity is undefined.
    assert log_r2(truth, truth + 0.5) == [0.75, pytest.approx(math.nan, nan_ok=True)]
    assert log_r2(truth, truth) == [1.0, pytest.approx(math.nan, nan_ok=True)]
    assert log_r2(truth, np.array([[3.0, 0.0], [0.0, 0.0]]))[0] == pytest.approx(-5.5)
    assert np.isnan(log_r2(truth[:0], truth[:0])).all()


@pytest.mark.parametrize("constant", [0.1, -2.3025850929940455])
def test_rounding_gives_a_constant_quantity_no_r2(constant: float) -> None:
    truth = np.full((1001, 1), constant)
    assert math.isnan(log_r2(truth, truth + 1e-9)[0])


def test_a_constant_quantity_is_unidentified_without_a_measure(held: HeldOut) -> None:
    truth = held.truth.copy()
    truth[..., 1] = 0.7
    context = calibrated_context(_held(held.contexts, truth, held.estimates, held.episodes))
    (friction,) = context.unidentified
    assert (friction.name, friction.log_r2) == ("cube_table_friction", None)


def test_held_out_episodes_are_those_of_the_policys_mode() -> None:
    task = GoalTaskConfig(episode_steps=12)
    settings = GoalSacConfig(hidden=(16,), start_from=None)
    algorithm = build_algorithm(GoalConfig(algorithm=settings, task=task), torch.device("cpu"))
    for part in (algorithm.actor, algorithm.encoder, algorithm.head):
        for weight in part.parameters():  # the networks in training are not exported
            torch.nn.init.constant_(weight, 0.3)
    policy, before = algorithm.average, algorithm.generator.get_state()
    first, again = (hold_out(algorithm, GoalWorld(task, 8, seed=3)) for _ in range(2))
    assert torch.equal(before, algorithm.generator.get_state())
    np.testing.assert_array_equal(first.contexts, again.contexts)
    assert first.contexts.shape == (8, 13, 6)
    assert first.estimates.shape == first.truth.shape == (8, 13, 2)
    episodes = first.episodes
    with torch.no_grad():
        goal, context = episodes.goal[:, 5], torch.tensor(first.contexts[:, 5]).float()
        mode = algorithm.act(episodes.observation[:, 5], goal, context, deterministic=True)
        scaled = policy.head(context) * algorithm.truth_std + algorithm.truth_mean
    torch.testing.assert_close(mode, episodes.action[:, 5], rtol=0, atol=1e-5)
    np.testing.assert_allclose(first.estimates[:, 5], scaled.numpy(), atol=1e-5)
