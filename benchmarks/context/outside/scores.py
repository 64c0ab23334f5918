"""Scores of each control step, from the recorded observations, actions and contexts.

Every score is one that a server could compute while it serves: from the past alone, and without a
change of the graph.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.context.outside.recording import Recording
from skill_proto.arrays import Array, Flags
from skill_runtime.policy.outside_monitor import LARGEST, OutsideMonitor

RIDGE = 1e-3
"""Weight of the ridge penalty, for inputs of unit variance and per step."""

TYPICAL = 0.95
"""Quantile of surprises inside that has the value 1, as for distances."""

TELEPORT_M = 0.08
"""A hand that moves farther in one control step was put back by a reset, which says nothing [m]."""


def windowed(scores: Array, steps: int) -> Array:
    """Returns the mean ``(T - steps + 1, n)`` of scores ``(T, n)`` over the last ``steps``."""
    return sliding_window_view(np.minimum(scores, LARGEST), steps, axis=0).mean(axis=-1)


def excursions(distance: Array, window: int) -> Array:
    """Returns for distances ``(T, n)`` whether the server would say outside, 0 or 1, ``(T, n)``."""
    found = np.zeros(distance.shape)
    for scene, column in enumerate(distance.T):
        monitor = OutsideMonitor(window)
        for step, value in enumerate(column.tolist()):
            monitor.update(value)
            found[step, scene] = bool(monitor.outside)
    return found


class Surprise:
    """How badly a linear model predicts the next observation.

    The model gets observation, this action and the last one, and context. It is fitted to scenes
    inside, and the residuals are whitened there.

    Args:
        known: Scenes inside.
    """

    def __init__(self, known: Recording) -> None:
        inputs, change, usable = _transitions(known)
        x, y = inputs[usable], change[usable]
        self._mean, self._scale = x.mean(0), x.std(0) + 1e-9
        z = self._features(x)
        gram = z.T @ z / len(z) + RIDGE * np.eye(z.shape[1])
        self._weights = np.linalg.solve(gram, z.T @ y / len(z))
        residual = y - z @ self._weights
        self._whitening = 1.0 / (np.sqrt((residual**2).mean(0)) + 1e-9)
        self._typical = 1.0
        self._typical = float(np.quantile(self.of(known)[1:][usable], TYPICAL))

    def _features(self, inputs: Array) -> Array:
        z = (inputs - self._mean) / self._scale
        return np.concatenate([z, np.ones((*z.shape[:-1], 1))], axis=-1)

    def of(self, seen: Recording) -> Array:
        """Returns ``(T, n)`` surprises; 1 is unusual, 0 where no prediction was made."""
        inputs, change, usable = _transitions(seen)
        residual = (change - self._features(inputs) @ self._weights) * self._whitening
        surprise = np.sqrt((residual**2).mean(-1)) / self._typical
        first = np.zeros((1, surprise.shape[1]))
        return np.concatenate([first, np.where(usable, surprise, 0.0)])


def _transitions(seen: Recording) -> tuple[Array, Array, Flags]:
    """Returns inputs, changes of the observation, and which of them count: ``(T - 1, n, ...)``."""
    before = np.concatenate([np.zeros_like(seen.action[:1]), seen.action[:-1]])
    inputs = np.concatenate([seen.observation, seen.action, before, seen.context], axis=-1)[:-1]
    change = np.diff(seen.observation, axis=0)
    moved = np.linalg.norm(change[..., :3], axis=-1)  # the end effector comes first
    return inputs, change, moved < TELEPORT_M
