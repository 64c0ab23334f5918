"""Whether a policy is outside of its training, from its context distance over the last steps.

One step in twenty of training is farther than 1, so one distance says little. The mean distance of
one or two seconds is above :data:`ENTER` more rarely, and tells the inside of the trained range
from the outside a little better; docs/results.md has both inside and outside of the range
(``python -m benchmarks.context.outside``).
"""

from __future__ import annotations

import math
from collections import deque

from skill_proto.manifest import PolicyManifest

WINDOW_S = (0.5, 2.0)
"""Least and greatest time over which distances are averaged [s]."""

ENTER = 1.0
"""Mean distance above which an excursion begins."""

LEAVE = 0.8
"""Mean distance below which it ends. The gap keeps a policy at the border from flickering."""

LARGEST = 10.0
"""A larger distance counts as this, so that one step cannot fill the window."""

WARNING_PERIOD_S = 30.0
"""Shortest time between two warnings [s]."""


def window_steps(manifest: PolicyManifest) -> int:
    """Returns over how many inferences distances are averaged.

    It is half of the shortest trained horizon, as in the calibration of the distance, within
    :data:`WINDOW_S`.
    """
    rate_hz = manifest.control_rate_hz
    horizon = min((state.trained_horizon_steps for state in manifest.recurrent), default=1)
    least, most = (round(seconds * rate_hz) for seconds in WINDOW_S)
    return max(1, least, min(horizon // 2, most))


class OutsideMonitor:
    """Observes the context distances of one stream of observations.

    Args:
        window: inferences over which distances are averaged, see :func:`window_steps`.

    Attributes:
        outside: whether an excursion lasts; None while it is unknown: without distances, and
            before the window is full.
        level: mean distance over the window; None while it is unknown.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._distances: deque[float] = deque(maxlen=window)
        self.outside: bool | None = None
        self.level: float | None = None

    def reset(self) -> None:
        """Forgets all distances: the recurrent state starts anew."""
        self._distances.clear()
        self.outside = self.level = None

    def update(self, distance: float | None) -> bool:
        """Takes the distance of one inference and returns whether an excursion begins.

        Args:
            distance: None or NaN while it is undefined, as for a young recurrent state.
        """
        if distance is None or math.isnan(distance):
            self.reset()
            return False
        self._distances.append(min(distance, LARGEST))
        if len(self._distances) < self._window:
            return False
        self.level = level = sum(self._distances) / self._window
        was_outside = bool(self.outside)
        self.outside = level > (LEAVE if was_outside else ENTER)
        return self.outside and not was_outside


def excursion_text(level: float | None) -> str:
    """Returns an excursion that has begun in words; ``level`` is that of the monitor."""
    mean = "unknown" if level is None else f"{level:.2f}"
    return f"the policy is outside of its training: mean context distance {mean}, above {ENTER:g}"
