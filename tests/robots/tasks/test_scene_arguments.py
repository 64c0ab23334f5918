"""Arguments of scenes: what fits is returned, and what does not is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skill_robots.tasks.errors import WorldError
from skill_robots.tasks.scene_arguments import (
    check_scenes,
    checked_action,
    checked_ids,
    ids_to_reset,
)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
def test_actions_that_fit_are_returned_as_they_are(kind: type) -> None:
    given = np.array([[1, -1, 5], [0, 0, 0]], dtype=kind)
    assert checked_action(given, 2, 3) is given
    np.testing.assert_array_equal(checked_action(given.tolist(), 2, 3), given)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (np.zeros((4, 1)), r"actions are \(4, 8\), not \(4, 1\); give a row for each scene"),
        (np.zeros(8), r"actions are \(4, 8\), not \(8,\)"),
        (np.zeros((3, 8)), r"actions are \(4, 8\), not \(3, 8\)"),
        (0.0, r"actions are \(4, 8\), not \(\)"),
        ([[0.0] * 8, [0.0]], "rows of equal length"),
        ([["up"] * 8] * 4, "actions are real numbers, not <U2"),
        (np.zeros((4, 8), complex), "actions are real numbers, not complex128"),
        (np.array([[None] * 8] * 4), "actions are real numbers, not object"),
    ],
)
def test_actions_that_do_not_fit_are_named(action: Any, said: str) -> None:  # noqa: ANN401  wrong types
    with pytest.raises(WorldError, match=said):
        checked_action(action, 4, 8)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_scene_of_an_action_that_is_not_finite_is_named(value: float) -> None:
    action = np.zeros((4, 8))
    action[2, 5] = value
    with pytest.raises(WorldError, match="the action of scene 2 is not finite"):
        checked_action(action, 4, 8)


@pytest.mark.parametrize("n", [0, -1, 1.5, True, None])
def test_a_number_of_scenes_below_one_is_refused(n: Any) -> None:  # noqa: ANN401  wrong types
    with pytest.raises(WorldError, match="at least one scene is needed"):
        check_scenes(n)


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_a_seed_below_zero_is_refused(seed: Any) -> None:  # noqa: ANN401  wrong types
    with pytest.raises(WorldError, match="a seed is a whole number from 0"):
        check_scenes(1, seed)


def test_places_that_fit_are_returned() -> None:
    np.testing.assert_array_equal(checked_ids([2, 0], 3), [2, 0])
    assert checked_ids([], 3).dtype == np.int64
    np.testing.assert_array_equal(ids_to_reset([2, 0], 3), [2, 0])
    np.testing.assert_array_equal(ids_to_reset(None, 3), [0, 1, 2])
    check_scenes(np.int64(3), np.int32(0))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([0, 3], "no scene 3; the world has the scenes 0 to 2"),
        ([-1], "no scene -1"),
        ([0.5], "a vector of whole numbers, not float64"),
        ([[0]], r"of shape \(1, 1\)"),
        (np.ones(3, dtype=np.bool_), "not bool"),
        ([[0], [0, 1]], "places of scenes are no array"),
    ],
)
def test_places_that_do_not_fit_are_named(ids: Any, said: str) -> None:  # noqa: ANN401  wrong types
    with pytest.raises(WorldError, match=said):
        checked_ids(ids, 3)
