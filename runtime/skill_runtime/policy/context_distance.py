"""How far an inferred context lies from those that training saw.

A large distance says that the encoder is in a state that training did not produce; a small one
does not prove that mass and friction lie inside the trained range.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skill_proto.manifest import Context

Array32 = NDArray[np.float32]


class ContextDistance:
    """Mahalanobis distance in context space, in units of the 95 % quantile over held-out contexts.

    Args:
        context: of the manifest, calibrated: with center and whitening.
    """

    def __init__(self, context: Context) -> None:
        self._center = np.array(context.center, np.float32)
        scaled = np.array(context.whitening, np.float64) / context.typical_distance
        self._map = scaled.T.astype(np.float32)

    def of(self, context: Array32) -> Array32:
        """``(n, 1)`` for contexts ``(n, C)``; above 1 is unusual, NaN where a context is."""
        with np.errstate(invalid="ignore", over="ignore"):  # what is not finite comes out so
            away = (context - self._center) @ self._map
            return np.sqrt((away * away).sum(axis=1, keepdims=True))
