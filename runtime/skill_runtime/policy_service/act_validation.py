"""Checks the arrays of an ``act`` request by the rules of the commands ``skill`` and ``goal``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Float32Array, FloatArray
from skill_proto.manifest import PolicyManifest
from skill_proto.vectors import VectorError, check_goals, normalise_skills, within
from skill_proto.wire import WireError

LARGEST = float(np.finfo(np.float32).max)
"""Largest number that a policy can read; its inputs have single precision."""


@dataclass(frozen=True)
class ActInputs:
    """The arrays of one request as the policy takes them."""

    arrays: Mapping[str, Float32Array]
    """``(n, ...)`` by name."""
    rows: int


def validate_act(arrays: Mapping[str, FloatArray], manifest: PolicyManifest) -> ActInputs:
    """Returns the arrays of a request, whose numbers are finite, as the policy takes them.

    A skill on a sphere is scaled to unit length. A goal or previous action that exceeds its bounds
    by rounding is set to the bound.

    Raises:
        WireError: ``not_supported``: the policy takes no skills or no goals; ``invalid``: an array
            is missing, superfluous, of the wrong shape, or has a number outside of its bounds.
    """
    sizes = _sizes(manifest)
    usage = "send " + ", ".join(f"{name} [n, {size}]" for name, size in sizes.items())
    if "skill" in sizes and "goal" in sizes:
        usage += "; either skill or goal"
    _check_names(arrays, sizes, manifest, usage)
    rows = _check_shapes(arrays, sizes, usage)
    try:
        inputs = {
            name: _checked(name, array, manifest).astype(np.float32, copy=False)
            for name, array in arrays.items()
        }
    except VectorError as error:
        raise WireError("invalid", str(error), error.fix) from None
    return ActInputs(inputs, rows)


def entry_name(manifest: PolicyManifest, entry: int) -> str:
    """Returns the name of an entry of the observation, such as ``cube_position[0]``."""
    for part in manifest.measured:
        if entry < part.size:
            return f"{part.name}[{entry}]" if part.size > 1 else part.name
        entry -= part.size
    raise IndexError(f"the observation has {manifest.observation_size} entries")


def _sizes(manifest: PolicyManifest) -> dict[str, int]:
    """Returns the length of a row of each array that the policy takes."""
    sizes = {"observation": manifest.observation_size, "previous_action": manifest.action_size}
    commands = {"skill": manifest.skill.size, "goal": manifest.goal_size}
    return sizes | {name: size for name, size in commands.items() if size}


def _check_names(
    arrays: Mapping[str, FloatArray],
    sizes: Mapping[str, int],
    manifest: PolicyManifest,
    usage: str,
) -> None:
    for name in arrays:
        if name not in sizes and name in ("skill", "goal"):
            problem = f"policy {manifest.name!r} takes no {name}s"
            raise WireError("not_supported", problem, usage)
        if name not in sizes:
            raise WireError("invalid", f"the policy takes no array {name!r}", usage)
    if "observation" not in arrays:
        raise WireError("invalid", "the request has no observation", usage)
    commands = [name for name in ("skill", "goal") if name in sizes]
    given = [name for name in commands if name in arrays]
    if commands and not given:
        problem = f"the request has no {' and no '.join(commands)}"
        raise WireError("invalid", problem, usage)
    if len(given) > 1:
        problem = "the request has both a skill and a goal, which exclude each other"
        raise WireError("invalid", problem, "send one of them")


def _check_shapes(arrays: Mapping[str, FloatArray], sizes: Mapping[str, int], usage: str) -> int:
    """Returns the number of rows, which is that of the observation."""
    observation = arrays["observation"]
    rows = len(observation) if observation.ndim == 2 else 0
    for name, array in arrays.items():
        expected = (max(rows, 1), sizes[name])
        if array.shape != expected:
            raise WireError(
                "invalid",
                f"array {name!r} has shape {list(array.shape)}, expected {list(expected)}",
                usage,
            )
    return rows


def _checked(name: str, array: FloatArray, manifest: PolicyManifest) -> FloatArray:
    """Returns an array as the policy takes it.

    Raises:
        VectorError: A number is outside of its bounds.
    """
    if name == "skill":
        return normalise_skills(array, manifest.skill)
    if name == "goal" and manifest.goal is not None:
        return check_goals(array, manifest.goal)
    if name == "previous_action":
        size = manifest.action_size
        names = [f"previous_action[{entry}]" for entry in range(size)]
        return within(array, [-1.0] * size, [1.0] * size, names, "1", name)
    return _checked_observation(array, manifest)


def _checked_observation(array: FloatArray, manifest: PolicyManifest) -> FloatArray:
    is_too_large = np.abs(array) > LARGEST
    if is_too_large.any():
        row, entry = (int(index) for index in np.argwhere(is_too_large)[0])
        raise VectorError(
            f"observation, row {row}: {entry_name(manifest, entry)} = {array[row, entry]!s} "
            f"exceeds {LARGEST}, the largest number in single precision",
            "send raw SI units; leave out rows whose sensor has failed",
        )
    return array
