"""Rules for skills, goals and other bounded vectors: the same in commands and in ``act``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from skill_proto.arrays import Array, Flags, FloatArray
from skill_proto.manifest import GoalSpace, SkillSpace

MIN_SKILL_NORM = 1e-6
"""A shorter skill has no direction."""

BOUND_TOLERANCE = 1e-6
"""A number that exceeds its bound by no more than this counts as rounded, and is set to the bound.
It is the error of a position of a few metres in single precision. For a bound beyond 1 it is a
fraction of the bound."""

MAX_SHOWN = 8
"""Entries of a vector that an error text shows."""


class VectorError(ValueError):
    """A vector breaks a rule; the text names the vector, its row, the value and the expectation.

    Attributes:
        fix: The remedy.
    """

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def normalise_skills(values: FloatArray, space: SkillSpace) -> Array:
    """Returns ``(n, Z)`` skills as training used them: on a sphere scaled to unit length.

    Args:
        values: ``(n, Z)``.
        space: The skills of the policy, of kind ``sphere`` or ``one_hot``.

    Raises:
        VectorError: A skill on a sphere has no direction, or another skill is not one-hot.
    """
    skills = np.asarray(values, np.float64)
    if space.kind == "one_hot":
        _check_one_hot(values)
        return skills
    lengths = np.array([math.hypot(*row) for row in skills.tolist()])
    row = _first_fault((lengths >= MIN_SKILL_NORM) & (lengths < np.inf))
    if row is not None:
        raise VectorError(
            f"{_place('skill', values, row)} {_shown(values[row])} has length "
            f"{lengths[row]}, so it has no direction",
            "send a vector with a direction, such as 1 0",
        )
    return skills / lengths[:, None]


def check_goals(values: FloatArray, space: GoalSpace) -> Array:
    """Returns ``(n, G)`` goals inside the box that the manifest declares.

    Raises:
        VectorError: An entry is outside of the box by more than :data:`BOUND_TOLERANCE`.
    """
    return within(values, space.low, space.high, goal_names(space), space.unit, "goal")


def goal_names(space: GoalSpace) -> tuple[str, ...]:
    """Returns the names of the entries of a goal, such as ``cube_position[0]``."""
    return tuple(f"{space.field}[{component}]" for component in space.components)


def within(
    values: FloatArray,
    low: ArrayLike,
    high: ArrayLike,
    names: Sequence[str],
    unit: str,
    vector: str,
) -> Array:
    """Returns ``(n, k)`` values; an entry that exceeds its bound by rounding is set to the bound.

    Args:
        values: ``(n, k)``.
        low: ``(k,)`` least values.
        high: ``(k,)`` largest values.
        names: Names of the entries, for the error.
        unit: Unit of all entries; '1' is not written.
        vector: Name of the vector, for the error.

    Raises:
        VectorError: An entry exceeds its bound by more than :data:`BOUND_TOLERANCE`.
    """
    exact = np.asarray(values, np.float64)
    least, most = np.asarray(low, np.float64), np.asarray(high, np.float64)
    is_inside = (exact >= least - _tolerance(least)) & (exact <= most + _tolerance(most))
    row = _first_fault(np.logical_and.reduce(is_inside, axis=1))
    if row is not None:
        entry = int(np.argmin(is_inside[row]))
        suffix = "" if unit in ("", "1") else f" {unit}"
        raise VectorError(
            f"{_place(vector, values, row)}: {names[entry]} = {values[row, entry]!s}{suffix} is "
            f"outside {least[entry]} to {most[entry]}{suffix}",
            f"send {names[entry]} within these bounds",
        )
    return np.minimum(np.maximum(exact, least), most)


def _check_one_hot(values: FloatArray) -> None:
    is_one, is_zero = values == 1, values == 0
    row = _first_fault((is_one | is_zero).all(axis=1) & (is_one.sum(axis=1) == 1))
    if row is not None:
        raise VectorError(
            f"{_place('skill', values, row)} {_shown(values[row])} is not one-hot",
            "send one entry 1 and all others 0",
        )


def _tolerance(bound: Array) -> Array:
    return BOUND_TOLERANCE * np.maximum(1.0, np.abs(bound))


def _first_fault(is_valid: Flags) -> int | None:
    """Returns the index of the first False; None if there is no False."""
    return None if is_valid.all() else int(np.argmin(is_valid))


def _place(vector: str, values: FloatArray, row: int) -> str:
    return vector if len(values) == 1 else f"{vector}, row {row}"


def _shown(row: FloatArray) -> str:
    """Returns a vector as text, each number with all of its digits in its own precision."""
    entries = [str(value) for value in row[:MAX_SHOWN]]
    return "[" + ", ".join(entries + ["..."] * (len(row) > MAX_SHOWN)) + "]"
