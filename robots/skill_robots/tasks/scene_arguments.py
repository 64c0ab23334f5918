"""Checks of the arguments that n scenes take: numbers of scenes, seeds, actions, places.

NumPy would broadcast an array of another shape without a word, and a physics engine would compute
with NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skill_proto.arrays import Array, Ids
from skill_robots.tasks.errors import WorldError


def check_scenes(n: int, seed: int = 0) -> None:
    """Checks the number of scenes, and the seed of their draws.

    Raises:
        WorldError: ``n`` is no whole number of at least 1, or ``seed`` is none of at least 0.
    """
    if not _is_whole(n) or n < 1:
        raise WorldError(f"at least one scene is needed, not {n!r}; give a whole number from 1")
    if not _is_whole(seed) or seed < 0:
        raise WorldError(f"a seed is a whole number from 0, not {seed!r}; give one, e.g. seed=0")


def checked_action(action: ArrayLike, n: int, size: int) -> Array:
    """Returns the actions of n scenes ``(n, size)``, which are not clipped.

    Args:
        action: The actions, as the caller of a world gives them.
        n: Number of scenes.
        size: Length of an action.

    Raises:
        WorldError: The actions are no real numbers, have another shape, or are not all finite.
    """
    given = _as_array(action, "actions")
    if given.dtype.kind not in "fiu":
        raise WorldError(f"actions are real numbers, not {given.dtype}; give floats in [-1, 1]")
    if given.shape != (n, size):
        raise WorldError(
            f"actions are ({n}, {size}), not {given.shape}; give a row for each scene, with a "
            "number for each entry of an action"
        )
    if not np.isfinite(given).all():
        row = int(np.argmin(np.isfinite(given).all(axis=1)))
        raise WorldError(
            f"the action of scene {row} is not finite: {given[row].tolist()}; give numbers in "
            "[-1, 1]. A policy that returns others has diverged, or has observed others"
        )
    return given


def ids_to_reset(ids: ArrayLike | None, n: int) -> Ids:
    """Returns the places of the scenes that begin an episode; None: of all n.

    Raises:
        WorldError: as :func:`checked_ids`.
    """
    return np.arange(n) if ids is None else checked_ids(ids, n)


def checked_ids(ids: ArrayLike, n: int) -> Ids:
    """Returns places of scenes ``(k,)``.

    Raises:
        WorldError: The places are no vector of whole numbers, or there are fewer scenes.
    """
    given = _as_array(ids, "places of scenes")
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise WorldError(
            f"places of scenes are a vector of whole numbers, not {given.dtype} of shape "
            f"{given.shape}; give e.g. np.arange({n})"
        )
    places = given.astype(np.int64)
    wrong = places[(places < 0) | (places >= n)]
    if wrong.size:
        raise WorldError(f"there is no scene {wrong[0]}; the world has the scenes 0 to {n - 1}")
    return places


def _as_array(values: ArrayLike, name: str) -> Array:
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:  # rows of different length
        raise WorldError(f"{name} are no array: {error}; give rows of equal length") from None


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
