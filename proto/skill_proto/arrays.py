"""Array types that every package uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Real numbers; docstrings give the shape."""

Flags = NDArray[np.bool_]
"""One truth value per entry."""

Ids = NDArray[np.int64]
"""Indices, such as episodes or cells."""

Float32Array = NDArray[np.float32]
"""Real numbers in single precision, as policies compute."""

FloatArray = NDArray[np.float32] | NDArray[np.float64]
"""Real numbers in one of the two types that the wire carries."""
