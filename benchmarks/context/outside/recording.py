"""Observations, actions and contexts of a policy, recorded in the scenes of one side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from benchmarks.context.outside.conditions import Side
from skill_proto.arrays import Array
from skill_runtime.policy import OnnxPolicy, PolicyOutput


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Rows are control steps, columns are scenes."""

    observation: Array
    """``(T, n, O)``."""
    action: Array
    """``(T, n, A)`` in [-1, 1], the answers to the observations."""
    context: Array
    """``(T, n, C)``."""
    distance: Array
    """``(T, n)``; NaN while it is undefined."""

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """Returns the scenes of all recordings, which are equally long."""
        names = ("observation", "action", "context", "distance")
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts], axis=1) for n in names})


Run = Callable[[OnnxPolicy, Side, int, int, Callable[[], object]], Recording]
"""Runs a number of scenes of one side with a seed; calls a function after each control step."""


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """The scenes in which a policy was trained."""

    run: Run
    steps: int
    """Control steps for each goal of a :class:`Side`."""
    columns: int
    """Scenes in place of one that the user asks for: short runs need more of them."""
    goals: int
    """Goals that follow each other in a run that training had not; 1 if training had them too."""
    largest_friction: float
    """Greatest friction coefficient."""
    stiffer: bool
    """Whether the arm can be stiffer than in training."""


class Recorder:
    """Collects the steps of a recording."""

    def __init__(self) -> None:
        self._rows: list[tuple[Array, Array, Array, Array]] = []

    def add(self, observation: Array, output: PolicyOutput) -> None:
        """Adds one control step of all scenes."""
        assert output.context is not None
        assert output.context_distance is not None
        values = (observation, output.action, output.context, output.context_distance[:, 0])
        observed, action, context, distance = (np.array(value, np.float64) for value in values)
        self._rows.append((observed, action, context, distance))

    def recording(self) -> Recording:
        """Returns all steps that were added."""
        observation, action, context, distance = (
            np.stack(part) for part in zip(*self._rows, strict=True)
        )
        return Recording(observation=observation, action=action, context=context, distance=distance)
