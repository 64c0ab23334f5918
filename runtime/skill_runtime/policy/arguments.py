"""Checks of the arrays that a policy is given, and their way into its input tensors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from skill_proto.arrays import Array
from skill_runtime.policy.errors import PolicyError
from skill_runtime.policy.recurrent_state import Tensors

LARGEST = float(np.finfo(np.float32).max)
"""Largest number that a policy can read; its inputs have single precision."""


def check_count(n: int) -> None:
    """Checks a number of slots.

    Raises:
        PolicyError: It is no whole number of at least 0.
    """
    if not isinstance(n, int | np.integer) or n < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise PolicyError(f"a number of slots is a whole number from 0, not {n!r}")


def numbers_in(name: str, value: ArrayLike) -> Array:
    """Returns the value as an array of real numbers, of any precision.

    Raises:
        PolicyError: It is text, complex, made of objects, or has rows of different length.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise PolicyError(f"{name} is not an array of numbers: {error}") from None
    if array.dtype.kind not in "fiub":
        raise PolicyError(
            f"{name} is not an array of numbers, but of {array.dtype}; give real numbers"
        )
    return array


def copy_into(inputs: Tensors, name: str, value: ArrayLike, *, finite: bool = False) -> Array:
    """Copies a value into an input tensor, and returns it as an array.

    Args:
        inputs: The tensors by name.
        name: Name of the tensor.
        value: All rows of the tensor, or one row for all.
        finite: Whether the numbers must be finite in single precision.

    Raises:
        PolicyError: It is no array of numbers, its shape is neither that of the tensor nor that of
            one row, or a number is not finite.
    """
    target, array = inputs[name], numbers_in(name, value)
    if array.shape not in (target.shape, target.shape[1:]):
        raise PolicyError(f"{name} has shape {array.shape}, expected {target.shape}")
    if finite and not (np.abs(array) <= LARGEST).all():
        raise PolicyError(
            f"{name} contains NaN, infinity or a number beyond single precision: "
            f"{_first_wrong(array)}; give finite numbers"
        )
    np.copyto(target, array, casting="same_kind")
    return array


def _first_wrong(array: Array) -> str:
    return str(array[~(np.abs(array) <= LARGEST)][0])
