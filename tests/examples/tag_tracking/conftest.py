"""Two side cameras of the table, and images of printed tags."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.arms.tracker.scene import exact_camera
from examples.tag_tracking.camera import Camera

from skill_proto.arrays import Array

SIZE = (1280, 720)


@pytest.fixture(scope="session")
def left() -> Camera:
    """The camera at y > 0."""
    return exact_camera("left", SIZE)


@pytest.fixture(scope="session")
def right() -> Camera:
    """The camera at y < 0."""
    return exact_camera("right", SIZE)


def turned(yaw: float) -> Array:
    """Returns the rotation about z."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
