"""Random policies: bounds, seeds and statistics."""

from __future__ import annotations

import numpy as np
import pytest

from skill_robots.tasks.baselines import (
    BaselineName,
    ConstantPolicy,
    IidPolicy,
    OrnsteinUhlenbeckPolicy,
    StillPolicy,
    make_baseline,
)

NAMES: tuple[BaselineName, ...] = ("iid", "constant", "ou", "still")


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_bounded_and_follow_the_seed(name: BaselineName) -> None:
    seen = np.zeros((50, 28))

    def actions(seed: int) -> np.ndarray:
        policy = make_baseline(name, 3, seed)
        policy.reset(50)
        return np.stack([policy.act(seen) for _ in range(20)])

    first = actions(0)
    assert first.shape == (20, 50, 3)
    assert np.abs(first).max() <= 1.0
    assert (first == actions(0)).all()
    assert name == "still" or (first != actions(1)).any()


def test_names_give_their_policies() -> None:
    kinds = [type(make_baseline(name, 3)) for name in NAMES]
    assert kinds == [IidPolicy, ConstantPolicy, OrnsteinUhlenbeckPolicy, StillPolicy]


def test_constant_holds_until_the_next_episode() -> None:
    policy = ConstantPolicy(3)
    policy.reset(4)
    seen = np.zeros((4, 1))
    first = policy.act(seen)
    first_again = policy.act(seen)
    policy.reset(4)
    assert (first == first_again).all()
    assert (first != policy.act(seen)).all()


def test_ornstein_uhlenbeck_has_its_variance_and_memory_from_the_first_step() -> None:
    """Variance settles at 2 s^2 / (2 - t), correlation from step to step at 1 - t."""
    theta, sigma, n = 0.1, 0.2, 40_000
    policy = OrnsteinUhlenbeckPolicy(1, seed=0, theta=theta, sigma=sigma)
    policy.reset(n)
    seen = np.zeros((n, 1))
    x = np.stack([policy.act(seen)[:, 0] for _ in range(60)])
    settled = sigma * np.sqrt(2.0 / (2.0 - theta))
    assert x[0].std() == pytest.approx(sigma, rel=0.02)
    assert x[-1].std() == pytest.approx(settled, rel=0.02)
    assert np.corrcoef(x[-2], x[-1])[0, 1] == pytest.approx(1.0 - theta, abs=0.01)
