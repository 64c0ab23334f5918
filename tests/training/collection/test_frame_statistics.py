"""Statistics of frames."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from tests.robots.worlds.environments import Point
from tests.training.collection.test_pixel_collector import PositionCamera

from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.gymnasium_env.world import GymnasiumWorld
from skill_training.collection.frame_statistics import SMALLEST_CHANGE, measure_frames


class TwoPixels(PositionCamera):
    """The first channel is the position, the second is always 7, the third always 0."""

    def frames(self, ids: np.ndarray | None = None) -> np.ndarray:
        made = super().frames(ids).copy()
        made[..., 1:] = (7, 0)
        return made


def test_changes_are_those_within_episodes() -> None:
    config = GymnasiumConfig(environment="point", episode_steps=10, coordinates=("position.0",))
    world = GymnasiumWorld(Point, config, 4, seed=0)
    camera = TwoPixels(world)
    found = measure_frames(world, cast("Any", camera), seed=0, steps=4000)
    # A step is .5 (1 + 3 a) with a uniform in [-1, 1]: mean square .25 (1 + 9 / 3) = 1, 10 values.
    assert found.change[0] == pytest.approx(10.0, rel=0.06)
    assert found.change[1:] == (SMALLEST_CHANGE, SMALLEST_CHANGE)
    assert found.mean[1:] == (7.0, 0.0)
    again = measure_frames(
        GymnasiumWorld(Point, config, 4, seed=0), cast("Any", camera), seed=1, steps=40
    )
    assert again != found
