"""Distances of phi and of time, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.discovery.temporal_distance import (
    Rollouts,
    measure,
    pair_distances,
    principal,
    world_of,
)
from tests.support.policy_files import push_manifest

from skill_proto.arrays import Array
from skill_proto.plant import SimulatedWorld
from skill_runtime.console.flags import UsageError


def rollouts(phi: Array, alive: list[int] | None = None) -> Rollouts:
    lengths = np.full(len(phi), phi.shape[1]) if alive is None else np.array(alive)
    return Rollouts(phi=phi, coordinates=np.zeros((*phi.shape[:2], 2)), alive=lengths)


def test_a_straight_path_keeps_time() -> None:
    path = np.arange(4.0)[None, :, None] * np.array([0.3, 0.4])
    steps, distances = pair_distances(rollouts(path))
    assert steps.tolist() == [1, 1, 1, 2, 2, 3]
    np.testing.assert_allclose(distances, 0.5 * steps)
    assert measure(steps, distances) == pytest.approx(
        {
            "correlation": 1.0,
            "slope": 0.5,
            "mean_step": 0.5,
            "transitions_within_1": 1.0,
            "pairs_within_steps": 1.0,
        }
    )


def test_steps_beyond_the_bound_are_counted() -> None:
    path = np.array([0.0, 2.0, 2.0])[None, :, None]  # steps of 2 and 0, 2 in two steps
    found = measure(*pair_distances(rollouts(path)))
    assert found["transitions_within_1"] == 0.5
    assert found["pairs_within_steps"] == pytest.approx(2 / 3)
    assert found["mean_step"] == 1.0


def test_states_after_the_end_of_an_episode_do_not_count() -> None:
    path = np.arange(10.0)[None, :, None].repeat(2, axis=0)
    steps, _ = pair_distances(rollouts(path, [3, 1]))
    assert steps.tolist() == [1, 1, 2]
    with pytest.raises(UsageError, match="too short"):
        measure(*pair_distances(rollouts(path, [1, 1])))


def test_a_constant_phi_has_no_correlation() -> None:
    found = measure(*pair_distances(rollouts(np.ones((1, 5, 2)))))
    assert (found["correlation"], found["slope"]) == (0.0, pytest.approx(0.0))


def test_principal_components_keep_lengths_in_a_plane() -> None:
    plane = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 2)))[0]
    flat = np.random.default_rng(1).standard_normal((3, 6, 2))
    flat -= flat[:, :1]
    found = principal(flat @ plane.T)
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), np.linalg.norm(flat, axis=-1))
    np.testing.assert_allclose(principal(np.ones((1, 3, 1))), np.zeros((1, 3, 2)))


REACHER = "gymnasium:Reacher-v5"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"environment": "evil:make"}, "contradicts itself"),
        ({"environment": REACHER, "settings": ["xml_file=/a"]}, "xml_file.*its run directory"),
    ],
)
def test_a_policy_file_chooses_no_code(settings: dict[str, object], text: str) -> None:
    world = SimulatedWorld(name=REACHER, episode_steps=50, settings=settings)
    with pytest.raises(UsageError, match=text):
        world_of(push_manifest().model_copy(update={"world": world}))
