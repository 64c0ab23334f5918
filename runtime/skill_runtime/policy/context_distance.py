"""Distance of an inferred context from the contexts of training.

A large distance means that the encoder is in a state that training did not produce. A small
distance does not prove that mass and friction lie inside the trained range.
"""

from __future__ import annotations

import numpy as np

from skill_proto.arrays import Float32Array
from skill_proto.manifest import Context


class ContextDistance:
    """Mahalanobis distance in context space, in units of the 95 % quantile over held-out contexts.

    Args:
        context: A calibrated context of the manifest, with center and whitening.
    """

    def __init__(self, context: Context) -> None:
        self._center = np.array(context.center, np.float32)
        scaled = np.array(context.whitening, np.float64) / context.typical_distance
        self._map = scaled.T.astype(np.float32)

    def of(self, context: Float32Array) -> Float32Array:
        """Returns ``(n, 1)`` distances of ``(n, C)`` contexts.

        A distance above 1 is unusual. A context that is not finite has a distance that is not
        finite.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            return self.of_quietly(context)

    def of_quietly(self, context: Float32Array) -> Float32Array:
        """Returns the same for a caller that has silenced numpy's warnings for many calls."""
        whitened = np.dot(context - self._center, self._map)
        np.multiply(whitened, whitened, out=whitened)
        distance = np.add.reduce(whitened, axis=1, keepdims=True)
        return np.sqrt(distance, out=distance)
